import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What both variants share. */
final class Settings {
    static final int TOTAL = Integer.parseInt(System.getenv("PEER_RECORDS"));
    static final int REDIS_PORT = Integer.parseInt(System.getenv("PEER_REDIS_PORT"));

    static KafkaConsumer<byte[], byte[]> consumer(Map<String, String> settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", System.getenv("PEER_BROKERS"));
        properties.put("group.id", System.getenv("PEER_GROUP"));
        properties.put("auto.offset.reset", "earliest");
        properties.putAll(settings);
        var bytes = new ByteArrayDeserializer();
        var consumer = new KafkaConsumer<>(properties, bytes, bytes);
        consumer.subscribe(List.of(System.getenv("PEER_TOPIC")));
        return consumer;
    }

    static void done(int seen) throws Exception {
        System.out.println("done " + seen);
        System.in.read();
        System.exit(0);
    }
}
