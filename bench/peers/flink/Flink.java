import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.util.Collector;
import redis.clients.jedis.Jedis;

/** Keys by the counter and sums, with the state on the heap; the newest sums are written to Redis five times a second. */
public final class Flink {
    public static void main(String[] arguments) throws Exception {
        var environment = StreamExecutionEnvironment.createLocalEnvironment(1);
        environment.getConfig().enableObjectReuse();
        if (arguments[0].equals("exactly-once")) {
            environment.enableCheckpointing(1_000);
        }
        var source = KafkaSource.<byte[]>builder()
            .setBootstrapServers(System.getenv("PEER_BROKERS"))
            .setGroupId(System.getenv("PEER_GROUP"))
            .setTopics(System.getenv("PEER_TOPIC"))
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.latest())
            .setProperty("check.crcs", "false")
            .setProperty("max.poll.records", "10000")
            .setProperty("fetch.max.bytes", "16777216")
            .setProperty("max.partition.fetch.bytes", "4194304")
            .setValueOnlyDeserializer(new Bytes())
            .build();
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "installs")
            .flatMap(new Parse())
            .keyBy(counted -> counted.f0)
            .sum(1)
            .addSink(new ToRedis());
        var result = environment.execute();
        Long seen = result.getAccumulatorResult("seen");
        System.out.println("done " + (seen == null ? 0 : seen));
        System.in.read();
        Runtime.getRuntime().halt(0);
    }

    public static final class Bytes extends AbstractDeserializationSchema<byte[]> {
        @Override
        public byte[] deserialize(byte[] message) {
            return message;
        }
    }

    public static final class Parse extends RichFlatMapFunction<byte[], Tuple2<String, Long>> {
        private transient ObjectMapper mapper;
        private final LongCounter seen = new LongCounter();

        @Override
        public void open(OpenContext context) {
            mapper = new ObjectMapper();
            getRuntimeContext().addAccumulator("seen", seen);
        }

        @Override
        public void flatMap(byte[] payload, Collector<Tuple2<String, Long>> out) {
            seen.add(1);
            JsonNode install;
            try {
                install = mapper.readTree(payload);
            } catch (java.io.IOException malformed) {
                return;
            }
            if (!install.hasNonNull("app_id") || !install.hasNonNull("event_time")) {
                return;
            }
            out.collect(Tuple2.of("installs:" + install.get("app_id").asText() + ":"
                + install.get("event_time").asText().substring(0, 10) + " "
                + install.path("attribution").path("media_source").asText("organic") + "|"
                + install.path("country").asText(""), 1L));
        }
    }

    @SuppressWarnings("deprecation")
    public static final class ToRedis extends RichSinkFunction<Tuple2<String, Long>> {
        private final Map<String, Long> newest = new HashMap<>();
        private transient Jedis redis;
        private transient long writtenAt;

        @Override
        public void open(Configuration configuration) {
            redis = new Jedis("127.0.0.1", Integer.parseInt(System.getenv("PEER_REDIS_PORT")));
        }

        @Override
        public void invoke(Tuple2<String, Long> sum, Context context) {
            newest.put(sum.f0, sum.f1);
            if ((newest.size() & 63) == 0 && System.nanoTime() - writtenAt > 200_000_000) {
                write();
            }
        }

        @Override
        public void finish() {
            write();
        }

        private void write() {
            var pipeline = redis.pipelined();
            newest.forEach((counter, installs) -> {
                int at = counter.indexOf(' ');
                pipeline.hset(counter.substring(0, at), counter.substring(at + 1), installs.toString());
            });
            pipeline.sync();
            newest.clear();
            writtenAt = System.nanoTime();
        }
    }
}
