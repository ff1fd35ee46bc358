import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import redis.clients.jedis.Jedis;

/** The same prefetch, batches and flushes as `reports`; no tree, counted in memory first. */
final class Tuned {
    private static final int BATCH = 50_000;
    private static final JsonFactory JSON = new JsonFactory();

    private record Counter(String app, String day, String source, String country) {}

    private static final class Count {
        long installs;
    }

    public static void main(String[] arguments) throws Exception {
        var redis = new Jedis("127.0.0.1", Settings.REDIS_PORT);
        var consumer = Settings.consumer(Map.of(
            "enable.auto.commit", "false",
            "check.crcs", "false",
            "max.poll.records", "10000",
            "fetch.max.bytes", "16777216",
            "max.partition.fetch.bytes", "4194304"));
        var counts = new HashMap<Counter, Count>();
        int seen = 0;
        int gathered = 0;
        while (seen < Settings.TOTAL || consumer.assignment().isEmpty()) {
            var records = consumer.poll(Duration.ofMillis(200));
            for (ConsumerRecord<byte[], byte[]> record : records) {
                Counter counter = read(record.value());
                if (counter != null) {
                    counts.computeIfAbsent(counter, absent -> new Count()).installs++;
                }
            }
            seen += records.count();
            gathered += records.count();
            if (gathered >= BATCH || (gathered > 0 && records.isEmpty()) || seen >= Settings.TOTAL) {
                var pipeline = redis.pipelined();
                counts.forEach((counter, count) -> pipeline.hincrBy(
                    "installs:" + counter.app + ":" + counter.day, counter.source + "|" + counter.country, count.installs));
                pipeline.sync();
                consumer.commitAsync();
                counts.clear();
                gathered = 0;
            }
        }
        Settings.done(seen);
    }

    /** The counter that a record raises; null if it is malformed. */
    private static Counter read(byte[] payload) {
        String app = null;
        String day = null;
        String source = "organic";
        String country = "";
        try (JsonParser parser = JSON.createParser(payload)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return null;
            }
            for (String field = parser.nextFieldName(); field != null; field = parser.nextFieldName()) {
                switch (field) {
                    case "app_id" -> app = parser.nextTextValue();
                    case "event_time" -> day = parser.nextTextValue().substring(0, 10);
                    case "country" -> country = parser.nextTextValue();
                    case "attribution" -> source = source(parser);
                    default -> {
                        parser.nextToken();
                        parser.skipChildren();
                    }
                }
            }
        } catch (IOException malformed) {
            return null;
        }
        return app == null || day == null ? null : new Counter(app, day, source, country);
    }

    private static String source(JsonParser parser) throws IOException {
        String source = "organic";
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new IOException("attribution is no object");
        }
        for (String field = parser.nextFieldName(); field != null; field = parser.nextFieldName()) {
            if (field.equals("media_source")) {
                source = parser.nextTextValue();
            } else {
                parser.nextToken();
                parser.skipChildren();
            }
        }
        return source;
    }
}
