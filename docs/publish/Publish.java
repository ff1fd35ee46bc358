// Publishes one install. Dependency: org.apache.kafka:kafka-clients
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Publish {
  public static void main(String[] arguments) throws Exception {
    // Idempotent, acknowledged by all replicas, partitioned by murmur2: these are the client's defaults.
    Map<String, Object> settings =
        Map.of("bootstrap.servers", System.getenv().getOrDefault("BROKERS", "127.0.0.1:9092"));
    String id = UUID.randomUUID().toString();
    String install = """
        {"event_id":"%s","app_id":"com.example.game","event_time":"%s","install_id":"%s",\
        "attribution":{"media_source":"java"}}""".formatted(id, Instant.now().truncatedTo(ChronoUnit.MILLIS), id);
    try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      producer.send(new ProducerRecord<>("installs", "com.example.game|" + id, install)).get();
    }
  }
}
