import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.management.ManagementFactory;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * What plugins/work.lua does, on Kafka Streams: a state for each key and one message sent on, exactly
 * once. Prints its speed between two counts of messages as the host's is measured.
 *
 * <p>usage: Work BROKERS APPLICATION FROM TO FOLDER THREADS WARM_UP SECONDS
 */
public final class Work {
  private static final String STORE = "states";
  private static final long DEADLINE_SECONDS = 120;
  private static final AtomicLong handled = new AtomicLong();

  private static final class Handler implements Processor<byte[], byte[], byte[], byte[]> {
    private static final String NOTE =
        "steam hides the tears of all who stay behind; ".repeat(3).substring(0, 110);
    private final ObjectMapper json = new ObjectMapper();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> states;

    @Override
    public void init(ProcessorContext<byte[], byte[]> given) {
      context = given;
      states = given.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      try {
        ObjectNode message = (ObjectNode) json.readTree(record.value());
        byte[] stored = states.get(record.key());
        ObjectNode state =
            stored == null
                ? json.createObjectNode().put("count", 0).put("total", 0).put("note", NOTE)
                : (ObjectNode) json.readTree(stored);
        state.put("count", state.get("count").asLong() + 1);
        state.put("total", state.get("total").asLong() + message.get("amount").asLong());
        state.put("last", message.get("id").asText());
        state.put("place", message.get("place").asText());
        message.put("amount", state.get("count").asLong());
        states.put(record.key(), json.writeValueAsBytes(state));
        context.forward(record.withValue(json.writeValueAsBytes(message)));
        handled.incrementAndGet();
      } catch (java.io.IOException error) {
        throw new IllegalStateException(error);
      }
    }
  }

  private static Properties settings(String[] arguments) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[5]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
    return settings;
  }

  private static Topology topology(String[] arguments) {
    Topology topology = new Topology();
    topology.addSource("in", arguments[2]);
    topology.addProcessor("work", Handler::new, "in");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(STORE), Serdes.ByteArray(), Serdes.ByteArray()),
        "work");
    topology.addSink("out", arguments[3], "work");
    return topology;
  }

  private static double cpuSeconds() {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() / 1e9;
  }

  private static void waitForMessages(KafkaStreams streams, long count) throws Exception {
    long end = System.nanoTime() + DEADLINE_SECONDS * 1_000_000_000L;
    while (handled.get() < count) {
      if (System.nanoTime() > end || streams.state() == KafkaStreams.State.ERROR) {
        throw new IllegalStateException(
            handled.get() + " messages after " + DEADLINE_SECONDS + " s, " + streams.state());
      }
      Thread.sleep(5);
    }
  }

  public static void main(String[] arguments) throws Exception {
    KafkaStreams streams = new KafkaStreams(topology(arguments), settings(arguments));
    try {
      streams.start();
      waitForMessages(streams, Long.parseLong(arguments[6]));
      long began = System.nanoTime();
      long before = handled.get();
      double cpu = cpuSeconds();
      Thread.sleep(Long.parseLong(arguments[7]) * 1000);
      long messages = handled.get() - before;
      double took = (System.nanoTime() - began) / 1e9;
      System.out.printf(
          "{\"messages_per_s\": %.6g, \"cpu_us\": %.6g, \"handled\": %d}%n",
          messages / took, (cpuSeconds() - cpu) / messages * 1e6, handled.get());
      System.out.flush();
    } catch (IllegalStateException error) {
      System.err.println(error);
      System.exit(3);
    }
    // What it holds goes with its folder and topics.
    Runtime.getRuntime().halt(0);
  }
}
