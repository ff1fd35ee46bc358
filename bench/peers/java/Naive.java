import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import redis.clients.jedis.Jedis;

/** What one writes first: a record, a tree, a command. */
final class Naive {
    public static void main(String[] arguments) throws Exception {
        var mapper = new ObjectMapper();
        var redis = new Jedis("127.0.0.1", Settings.REDIS_PORT);
        var consumer = Settings.consumer(Map.of());
        int seen = 0;
        while (seen < Settings.TOTAL || consumer.assignment().isEmpty()) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                seen++;
                JsonNode install;
                try {
                    install = mapper.readTree(record.value());
                } catch (java.io.IOException malformed) {
                    continue;
                }
                if (!install.hasNonNull("app_id") || !install.hasNonNull("event_time")) {
                    continue;
                }
                String app = install.get("app_id").asText();
                String day = install.get("event_time").asText().substring(0, 10);
                String source = install.path("attribution").path("media_source").asText("organic");
                String country = install.path("country").asText("");
                redis.hincrBy("installs:" + app + ":" + day, source + "|" + country, 1);
            }
        }
        consumer.commitSync();
        Settings.done(seen);
    }
}
