// Publishes one install. go get github.com/twmb/franz-go github.com/google/uuid
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	brokers := os.Getenv("BROKERS")
	if brokers == "" {
		brokers = "127.0.0.1:9092"
	}
	// Idempotent, acknowledged by all replicas, partitioned like Java: these are the client's defaults.
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic("installs"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	id := uuid.NewString()
	install, err := json.Marshal(map[string]any{
		"event_id":    id,
		"app_id":      "com.example.game",
		"event_time":  time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"install_id":  id,
		"attribution": map[string]string{"media_source": "go"},
	})
	if err != nil {
		log.Fatal(err)
	}
	record := &kgo.Record{Key: []byte("com.example.game|" + id), Value: install}
	if err := client.ProduceSync(context.Background(), record).FirstErr(); err != nil {
		log.Fatal(err)
	}
}
