import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import redis.clients.jedis.Jedis;

/** Groups by the counter and counts, with the state in memory; what changed is written to Redis five times a second. */
final class Streams {
    private static final int TOTAL = Integer.parseInt(System.getenv("PEER_RECORDS"));
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final CountDownLatch DONE = new CountDownLatch(1);
    /** There is one stream thread, so none of this needs a lock. */
    private static int seen;
    private static int malformed;
    private static long counted;

    public static void main(String[] arguments) throws Exception {
        var properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("PEER_GROUP"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("PEER_BROKERS"));
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams").toString());
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
            arguments[0].equals("exactly-once") ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64 << 20);
        properties.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        properties.put(StreamsConfig.consumerPrefix("max.poll.records"), 10_000);
        properties.put(StreamsConfig.producerPrefix("compression.type"), "lz4");

        var builder = new StreamsBuilder();
        builder.stream(System.getenv("PEER_TOPIC"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .mapValues(Streams::counter)
            .filter((device, counter) -> counter != null)
            .groupBy((device, counter) -> counter, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts"))
                .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream()
            .process(ToRedis::new);
        var streams = new KafkaStreams(builder.build(), properties);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING && TOTAL == 0) {
                DONE.countDown();
            }
        });
        streams.start();
        DONE.await();
        System.out.println("done " + seen);
        System.in.read();
        Runtime.getRuntime().halt(0);
    }

    /** Key and field of the counter that a record raises; null if it is malformed. */
    private static String counter(byte[] payload) {
        seen++;
        try {
            JsonNode install = MAPPER.readTree(payload);
            if (install.hasNonNull("app_id") && install.hasNonNull("event_time")) {
                return "installs:" + install.get("app_id").asText() + ":"
                    + install.get("event_time").asText().substring(0, 10) + " "
                    + install.path("attribution").path("media_source").asText("organic") + "|"
                    + install.path("country").asText("");
            }
        } catch (java.io.IOException broken) {
            // counted below
        }
        malformed++;
        return null;
    }

    private static final class ToRedis implements Processor<String, Long, Void, Void> {
        private final Jedis redis = new Jedis("127.0.0.1", Integer.parseInt(System.getenv("PEER_REDIS_PORT")));
        private final Map<String, Long> written = new HashMap<>();
        private final Map<String, Long> changed = new HashMap<>();

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            context.schedule(Duration.ofMillis(200), PunctuationType.WALL_CLOCK_TIME, now -> write());
        }

        @Override
        public void process(Record<String, Long> count) {
            changed.put(count.key(), count.value());
        }

        private void write() {
            var pipeline = redis.pipelined();
            changed.forEach((counter, installs) -> {
                int at = counter.indexOf(' ');
                pipeline.hset(counter.substring(0, at), counter.substring(at + 1), installs.toString());
                Long before = written.put(counter, installs);
                counted += installs - (before == null ? 0 : before);
            });
            pipeline.sync();
            changed.clear();
            if (TOTAL > 0 && seen >= TOTAL && counted == seen - malformed) {
                DONE.countDown();
            }
        }
    }
}
