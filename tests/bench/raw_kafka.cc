// librdkafka alone: what fills a topic, what copies one, and what a topic holds.
#include <librdkafka/rdkafka.h>

#include <array>
#include <thread>

#include "host/adapters/kafka/handles.h"
#include "host/adapters/kafka/kafka_log.h"
#include "host/core/partition.h"
#include "tests/bench/benches.h"
#include "tests/bench/work.h"

namespace host::bench {
namespace {

constexpr int kPollMs = 100;
constexpr int kFlushMs = 60'000;
constexpr std::size_t kAtOnce = 1000;
constexpr double kSilence = 30;  // seconds without a message: something is wrong

using Settings = std::vector<std::pair<const char*, std::string>>;

kafka::ClientHandle client(rd_kafka_type_t type, const Settings& settings,
                           std::size_t* delivered = nullptr) {
  std::array<char, 512> why{};
  kafka::ConfHandle conf(rd_kafka_conf_new());
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf.get(), name, value.c_str(), why.data(), why.size()) !=
        RD_KAFKA_CONF_OK) {
      give_up(why.data());
    }
  }
  if (delivered != nullptr) {
    rd_kafka_conf_set_opaque(conf.get(), delivered);
    rd_kafka_conf_set_dr_msg_cb(conf.get(),
                                [](rd_kafka_t*, const rd_kafka_message_t* message, void* count) {
                                  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                                    give_up(rd_kafka_message_errstr(message));
                                  ++*static_cast<std::size_t*>(count);
                                });
  }
  rd_kafka_t* made = rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (made == nullptr) give_up(why.data());
  (void)conf.release();  // the client's own from now on
  return kafka::ClientHandle(made);
}

/// What it promises is what the host's promises; linger and queues are for speed.
kafka::ClientHandle producer(const std::string& brokers, std::size_t& delivered) {
  return client(RD_KAFKA_PRODUCER,
                {{"bootstrap.servers", brokers},
                 {"enable.idempotence", "true"},
                 {"acks", "all"},
                 {"compression.type", "lz4"},
                 {"linger.ms", "5"},
                 {"queue.buffering.max.messages", "500000"}},
                &delivered);
}

/// Waits where the client's queue is full.
void produce(rd_kafka_t* to, const char* topic, PartitionNumber partition, const void* key,
             std::size_t key_size, const void* payload, std::size_t size) {
  while (true) {
    const rd_kafka_resp_err_t code = rd_kafka_producev(
        to, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE(const_cast<void*>(payload), size),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) give_up(rd_kafka_err2str(code));
    rd_kafka_poll(to, kPollMs);
  }
}

void make_topic(const std::string& brokers, const std::string& topic, PartitionNumber partitions) {
  auto log = kafka::KafkaLog::make({.brokers = brokers});
  if (!log) give_up(log.error().to_string());
  const ports::TopicSettings settings{.name = topic, .partitions = partitions, .keep = kForever};
  if (Result<void> made = (*log)->ensure_topics({&settings, 1}); !made) {
    give_up(made.error().to_string());
  }
}

kafka::ClientHandle consumer_of(const std::string& brokers, const std::string& topic,
                                PartitionNumber partitions) {
  kafka::ClientHandle from = client(RD_KAFKA_CONSUMER, {{"bootstrap.servers", brokers},
                                                        {"group.id", "bench"},
                                                        {"enable.auto.commit", "false"},
                                                        {"enable.auto.offset.store", "false"},
                                                        {"queued.min.messages", "300000"},
                                                        {"queued.max.messages.kbytes", "262144"},
                                                        {"check.crcs", "true"}});
  rd_kafka_poll_set_consumer(from.get());
  const kafka::PartitionsHandle list(rd_kafka_topic_partition_list_new(partitions));
  for (PartitionNumber p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p)->offset = 0;
  }
  if (const auto code = rd_kafka_assign(from.get(), list.get()); code != 0) {
    give_up(rd_kafka_err2str(code));
  }
  return from;
}

/// At most kAtOnce messages; none come only where something is wrong.
std::vector<kafka::MessageHandle> next(rd_kafka_queue_t* queue) {
  std::array<rd_kafka_message_t*, kAtOnce> found{};
  for (const double until = seconds_now() + kSilence; seconds_now() < until;) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue, kPollMs, found.data(), found.size());
    if (count <= 0) continue;
    return {found.begin(), found.begin() + count};
  }
  give_up("no more messages come");
}

}  // namespace

int fill(const Options& options) {
  const std::string brokers = options.text("brokers"), topic = options.text("topic");
  const std::size_t count = options.number("messages", 1'000'000);
  make_topic(brokers, topic, kPartitions);
  Messages messages(options.number("keys", 100'000), 1);
  std::size_t delivered = 0;
  const kafka::ClientHandle to = producer(brokers, delivered);
  const double began = seconds_now();
  for (std::size_t i = 0; i < count; ++i) {
    const ports::Append record = messages.next(topic);
    produce(to.get(), topic.c_str(), record.partition, record.key->data(), record.key->size(),
            record.payload.data(), record.payload.size());
    if (i % kAtOnce == 0) rd_kafka_poll(to.get(), 0);
  }
  rd_kafka_flush(to.get(), kFlushMs);
  if (delivered != count) give_up("the topic cannot be filled");
  Figures figures;
  figures.add("messages_per_s", static_cast<double>(count) / (seconds_now() - began));
  figures.print();
  return 0;
}

int topic(const Options& options) {
  make_topic(options.text("brokers"), options.text("topic"), kPartitions);
  Figures figures;
  figures.add("partitions", kPartitions);
  figures.print();
  return 0;
}

int copy(const Options& options) {
  const std::string brokers = options.text("brokers"), to_topic = options.text("to");
  const std::size_t count = options.number("messages", 1'000'000);
  make_topic(brokers, to_topic, kPartitions);
  std::size_t delivered = 0, taken = 0;
  const kafka::ClientHandle to = producer(brokers, delivered);
  const kafka::ClientHandle from = consumer_of(brokers, options.text("from"), kPartitions);
  const kafka::QueueHandle queue(rd_kafka_queue_get_consumer(from.get()));
  double began = 0, cpu = 0;
  while (taken < count) {
    const std::vector<kafka::MessageHandle> messages = next(queue.get());
    if (taken == 0) {
      began = seconds_now();
      cpu = process_cpu_seconds();
    }
    for (const kafka::MessageHandle& message : messages) {
      if (message->err != 0) give_up(rd_kafka_message_errstr(message.get()));
      if (taken++ >= count) break;
      produce(to.get(), to_topic.c_str(), message->partition, message->key, message->key_len,
              message->payload, message->len);
    }
    rd_kafka_poll(to.get(), 0);
  }
  rd_kafka_flush(to.get(), kFlushMs);
  if (delivered < count) give_up("not everything was copied");
  Figures figures;
  figures.add("messages_per_s", static_cast<double>(count) / (seconds_now() - began));
  figures.add("cpu_us", (process_cpu_seconds() - cpu) / static_cast<double>(count) * 1e6);
  figures.print();
  return 0;
}

int records(const Options& options) {
  const kafka::ClientHandle asker =
      client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", options.text("brokers")}});
  const std::string topic = options.text("topic");
  double total = 0;
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    std::int64_t first = 0, end = 0;
    const auto code =
        rd_kafka_query_watermark_offsets(asker.get(), topic.c_str(), p, &first, &end, kFlushMs);
    if (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) continue;
    if (code != 0) give_up(rd_kafka_err2str(code));
    total += static_cast<double>(end - first);
  }
  Figures figures;
  figures.add("records", total);
  figures.print();
  return 0;
}

}  // namespace host::bench
