// Reads installs with franz-go and counts them into Redis with go-redis, in one of three ways.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/bytedance/sonic"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// As `reports` does: at most so many records in one commit.
const batch = 50_000

type install struct {
	AppID       string `json:"app_id"`
	EventTime   string `json:"event_time"`
	Country     string `json:"country"`
	Attribution struct {
		MediaSource string `json:"media_source"`
	} `json:"attribution"`
}

type counter struct{ app, day, source, country string }

func (c counter) key() string   { return "installs:" + c.app + ":" + c.day }
func (c counter) field() string { return c.source + "|" + c.country }

// The counter that a record raises; false if it is malformed.
func read(payload []byte, unmarshal func([]byte, any) error) (counter, bool) {
	var i install
	if unmarshal(payload, &i) != nil || i.AppID == "" || len(i.EventTime) < 10 {
		return counter{}, false
	}
	source := i.Attribution.MediaSource
	if source == "" {
		source = "organic"
	}
	return counter{i.AppID, i.EventTime[:10], source, i.Country}, true
}

func main() {
	variant := os.Args[1]
	total, err := strconv.Atoi(os.Getenv("PEER_RECORDS"))
	must(err)
	assigned := make(chan struct{}, 1)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("PEER_BROKERS")),
		kgo.ConsumerGroup(os.Getenv("PEER_GROUP")),
		kgo.ConsumeTopics(os.Getenv("PEER_TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned <- struct{}{} }),
		// The window that `reports` has.
		kgo.FetchMaxBytes(16<<20),
		kgo.FetchMaxPartitionBytes(4<<20),
	)
	must(err)
	store := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Getenv("PEER_REDIS_PORT")})
	unmarshal := json.Unmarshal
	if variant == "tuned" {
		unmarshal = sonic.ConfigFastest.Unmarshal
	}
	seen := 0
	if total == 0 {
		go client.PollFetches(context.Background())
		<-assigned
	} else if variant == "unbatched" {
		seen = oneByOne(client, store, total)
	} else {
		seen = counted(client, store, total, unmarshal)
	}
	fmt.Println("done", seen)
	_, _ = bufio.NewReader(os.Stdin).ReadString(0)
}

func oneByOne(client *kgo.Client, store *redis.Client, total int) int {
	seen := 0
	for seen < total {
		fetches := client.PollFetches(context.Background())
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			seen++
			if c, ok := read(r.Value, json.Unmarshal); ok {
				must(store.HIncrBy(context.Background(), c.key(), c.field(), 1).Err())
			}
		})
		must(client.CommitUncommittedOffsets(context.Background()))
	}
	return seen
}

func counted(client *kgo.Client, store *redis.Client, total int, unmarshal func([]byte, any) error) int {
	seen, gathered := 0, 0
	counts := map[counter]int64{}
	for seen < total {
		fetches := client.PollRecords(context.Background(), batch-gathered)
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			seen++
			gathered++
			if c, ok := read(r.Value, unmarshal); ok {
				counts[c]++
			}
		})
		if gathered >= batch || seen >= total {
			flush(client, store, counts)
			clear(counts)
			gathered = 0
		}
	}
	return seen
}

func flush(client *kgo.Client, store *redis.Client, counts map[counter]int64) {
	ctx := context.Background()
	_, err := store.Pipelined(ctx, func(p redis.Pipeliner) error {
		for c, n := range counts {
			p.HIncrBy(ctx, c.key(), c.field(), n)
		}
		return nil
	})
	must(err)
	must(client.CommitUncommittedOffsets(ctx))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
