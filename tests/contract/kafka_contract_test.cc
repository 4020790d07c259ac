// The contract suite of the log on a real broker; tests/servers/with kafka starts one.
#include <librdkafka/rdkafka.h>

#include <array>
#include <cstdlib>
#include <map>
#include <random>

#include "host/adapters/kafka/kafka_log.h"
#include "tests/contract/contract_support.h"

namespace host::contract {
namespace {

/// Kafka's times are milliseconds.
class MillisecondClock : public ports::Clock {
 public:
  Time now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
  }
};

const char* broker() {
  const char* address = std::getenv("TEST_KAFKA");
  REQUIRE(address != nullptr);  // run by tests/servers/with kafka
  return address;
}

kafka::ClientHandle client_of(rd_kafka_type_t type,
                              const std::map<std::string, std::string>& settings = {}) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", broker(), why.data(), why.size());
  for (const auto& [name, value] : settings) {
    rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size());
  }
  kafka::ClientHandle client(rd_kafka_new(type, conf, why.data(), why.size()));
  REQUIRE(client);
  return client;
}

/// Records of a foreign producer, in a transaction.
void transact(const std::string& topic, PartitionNumber partition,
              const std::vector<std::string>& payloads, bool commit) {
  constexpr int kWaitMs = 30'000;
  const kafka::ClientHandle client =
      client_of(RD_KAFKA_PRODUCER, {{"transactional.id", "foreign"}});
  const auto done = [](rd_kafka_error_t* error) {
    const kafka::ErrorHandle owned(error);
    INFO((error != nullptr ? rd_kafka_error_string(error) : ""));
    REQUIRE(error == nullptr);
  };
  done(rd_kafka_init_transactions(client.get(), kWaitMs));
  done(rd_kafka_begin_transaction(client.get()));
  for (const std::string& payload : payloads) {
    REQUIRE(rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                              RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  REQUIRE(rd_kafka_flush(client.get(), kWaitMs) == RD_KAFKA_RESP_ERR_NO_ERROR);
  done(commit ? rd_kafka_commit_transaction(client.get(), kWaitMs)
              : rd_kafka_abort_transaction(client.get(), kWaitMs));
}

/// Truncates as retention does.
void truncate_partition(const std::string& topic, PartitionNumber partition, Offset before) {
  const kafka::ClientHandle client = client_of(RD_KAFKA_PRODUCER);
  const kafka::PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = before;
  std::array<rd_kafka_DeleteRecords_t*, 1> what{rd_kafka_DeleteRecords_new(list.get())};
  const kafka::QueueHandle queue(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteRecords(client.get(), what.data(), 1, nullptr, queue.get());
  const kafka::EventHandle done(rd_kafka_queue_poll(queue.get(), 20'000));
  rd_kafka_DeleteRecords_destroy(what[0]);
  REQUIRE(done);
  REQUIRE(rd_kafka_event_error(done.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

/// One broker serves all cases: each gives its topics a prefix of its own.
class Prefixed final : public ports::Log {
 public:
  Prefixed(std::string prefix, std::unique_ptr<kafka::KafkaLog> log)
      : prefix_(std::move(prefix)), log_(std::move(log)) {}
  kafka::KafkaLog& inner() { return *log_; }
  std::string name(const std::string& topic) const { return prefix_ + topic; }

  bool shares_store() const override { return log_->shares_store(); }
  Result<void> ensure_topics(std::span<const ports::TopicSettings> topics) override {
    std::vector<ports::TopicSettings> renamed(topics.begin(), topics.end());
    for (ports::TopicSettings& topic : renamed) topic.name = name(topic.name);
    return log_->ensure_topics(renamed);
  }
  std::unique_ptr<Fetch> fetch(const std::string& topic, PartitionNumber partition, Offset from,
                               std::size_t max_bytes, Executor& executor,
                               FetchCallback callback) override {
    return log_->fetch(name(topic), partition, from, max_bytes, executor,
                       [topic, callback = std::move(callback)](auto fetched) mutable {
                         if (fetched) {
                           for (Record& record : fetched->records) record.topic = topic;
                         }
                         callback(std::move(fetched));
                       });
  }
  void append(ports::Appends records, Executor& executor, AppendCallback callback) override {
    std::vector<ports::Append> renamed(records.begin(), records.end());
    for (ports::Append& record : renamed) record.topic = name(record.topic);
    log_->append(std::move(renamed), executor, std::move(callback));
  }
  void range(const std::string& topic, PartitionNumber partition, Executor& executor,
             UniqueFunction<void(Result<Range>)> callback) override {
    log_->range(name(topic), partition, executor, std::move(callback));
  }
  void note_read(const std::string& plugin, const std::string& topic, PartitionNumber partition,
                 Offset next) override {
    log_->note_read(plugin, name(topic), partition, next);
  }

 private:
  const std::string prefix_;
  std::unique_ptr<kafka::KafkaLog> log_;
};

struct KafkaFixture {
  KafkaFixture() : lane(scheduler) {
    static int cases = 0;
    prefix = "case" + std::to_string(++cases) + ".";
    open();
  }
  void open() {
    prefixed =
        std::make_unique<Prefixed>(prefix, must(kafka::KafkaLog::make({.brokers = broker()})));
  }

  ports::Log& log() { return *prefixed; }
  Executor& executor() { return lane; }
  MillisecondClock& clock() { return real; }
  bool pump(const std::function<bool()>& until) {
    return scheduler.wait_until(until, std::chrono::seconds(30));
  }
  void reopen() {
    prefixed.reset();
    open();
  }
  void stop() { prefixed->inner().stop(); }
  bool shares_store() { return prefixed->shares_store(); }
  void truncate(const std::string& topic, PartitionNumber partition, Offset before) {
    truncate_partition(prefixed->name(topic), partition, before);
  }
  void add_gap(const std::string& topic, PartitionNumber partition) {
    transact(prefixed->name(topic), partition, {"never there"}, false);
  }

  MillisecondClock real;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
  std::string prefix;
  std::unique_ptr<Prefixed> prefixed;
};

}  // namespace
using LogFixtures = std::tuple<KafkaFixture>;
}  // namespace host::contract

#include "tests/contract/log_contract.h"

namespace host::contract {
namespace {

/// A topic of one partition that takes no larger requests.
void make_narrow(const std::string& topic, const char* max_bytes) {
  std::array<char, 512> why{};
  const kafka::ClientHandle client = client_of(RD_KAFKA_PRODUCER);
  const kafka::NewTopicHandle made(
      rd_kafka_NewTopic_new(topic.c_str(), 1, 1, why.data(), why.size()));
  rd_kafka_NewTopic_set_config(made.get(), "max.message.bytes", max_bytes);
  std::array<rd_kafka_NewTopic_t*, 1> what{made.get()};
  const kafka::QueueHandle queue(rd_kafka_queue_new(client.get()));
  rd_kafka_CreateTopics(client.get(), what.data(), 1, nullptr, queue.get());
  const kafka::EventHandle done(rd_kafka_queue_poll(queue.get(), 20'000));
  REQUIRE(done);
  REQUIRE(rd_kafka_event_error(done.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

/// What no compression makes smaller.
std::string noise(std::size_t size) {
  static std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Brokers refuse a whole request: all that was in it became dead letters.
TEST_CASE("a topic that takes only small requests gets all but the record too large for it") {
  KafkaFixture f;
  make_narrow(f.prefixed->name("owls"), "4000");
  must(f.log().ensure_topics(std::vector{ports::TopicSettings{.name = "owls", .partitions = 1}}));
  std::vector<ports::Append> left;
  for (int i = 0; i < 60; ++i) {
    left.push_back(record("owls", 0, noise(i == 30 ? 10'000 : 900), std::to_string(i)));
  }
  std::vector<std::string> refused;
  while (!left.empty()) {
    const auto answers = append(f, left);
    std::vector<ports::Append> again;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].ok()) continue;
      if (answers[i].error().retryable) {
        again.push_back(left[i]);
      } else {
        refused.push_back(*left[i].key);
      }
    }
    left = std::move(again);
  }
  CHECK(refused == std::vector<std::string>{"30"});
  int expected = 0;
  for (const Record& r : read_all(f, "owls", 0)) {
    const int number = std::stoi(*r.key);
    if (number < expected) continue;  // a repeat
    CHECK(number == expected);
    expected = number == 29 ? 31 : number + 1;
  }
  CHECK(expected == 60);
}

/// What tools that show the lag of groups see; -1: nothing.
Offset committed_of(const std::string& group, const std::string& topic, PartitionNumber partition) {
  const kafka::ClientHandle client = client_of(RD_KAFKA_CONSUMER, {{"group.id", group}});
  const kafka::PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  REQUIRE(rd_kafka_committed(client.get(), list.get(), 20'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  return std::max<Offset>(list->elems[0].offset, -1);
}

/// As the broker has it.
std::string setting_of(const std::string& topic, const std::string& name) {
  const kafka::ClientHandle client = client_of(RD_KAFKA_PRODUCER);
  const kafka::ConfigHandle resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  std::array<rd_kafka_ConfigResource_t*, 1> list{resource.get()};
  const kafka::QueueHandle queue(rd_kafka_queue_new(client.get()));
  rd_kafka_DescribeConfigs(client.get(), list.data(), 1, nullptr, queue.get());
  const kafka::EventHandle done(rd_kafka_queue_poll(queue.get(), 20'000));
  REQUIRE(done);
  std::size_t count = 0;
  const auto* results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(done.get()), &count);
  REQUIRE(count == 1);
  const auto* entries = rd_kafka_ConfigResource_configs(results[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigEntry_name(entries[i]) == name)
      return rd_kafka_ConfigEntry_value(entries[i]);
  }
  return "";
}

// Whoever read another program's topic, or was started with --plugin beside a deployment file that
// kept it for ever, cut it to a week.
TEST_CASE("retention is brought up to date where somebody asks for one, else it stays") {
  KafkaFixture f;
  const std::string topic = f.prefixed->name("owls");
  ports::TopicSettings owls{.name = "owls", .partitions = 2, .keep = kForever, .max_bytes = 12345};
  must(f.log().ensure_topics({&owls, 1}));
  CHECK(setting_of(topic, "retention.ms") == "-1");
  CHECK(setting_of(topic, "retention.bytes") == "12345");
  const ports::TopicSettings silent{.name = "owls", .partitions = 2, .only_new = true};
  must(f.log().ensure_topics({&silent, 1}));
  CHECK(setting_of(topic, "retention.ms") == "-1");
  CHECK(setting_of(topic, "retention.bytes") == "12345");
  owls.keep = std::chrono::hours(2);
  must(f.log().ensure_topics({&owls, 1}));
  CHECK(setting_of(topic, "retention.ms") == "7200000");
  CHECK(setting_of(topic, "retention.bytes") == "12345");
}

TEST_CASE("what plugins have read is seen in consumer groups of their names") {
  KafkaFixture f;
  make_topics(f, {"owls"});
  append_numbered(f, "owls", 1, "m", 5);
  f.log().note_read("library", "owls", 1, 2);
  f.log().note_read("library", "owls", 1, 3);
  f.log().note_read("kitchen", "owls", 1, 5);
  f.stop();
  CHECK(committed_of("host.library", f.prefixed->name("owls"), 1) == 3);
  CHECK(committed_of("host.kitchen", f.prefixed->name("owls"), 1) == 5);
  CHECK(committed_of("host.library", f.prefixed->name("owls"), 0) == -1);
}

// Behind the last record of a committed transaction lies its marker.
TEST_CASE("a committed transaction at the end is read to its very end") {
  KafkaFixture f;
  make_topics(f, {"owls"});
  transact(f.prefixed->name("owls"), 0, numbered("m", 3), true);
  constexpr Offset kEnd = 4;  // the marker is written after the commit was answered
  std::vector<Record> found;
  Offset next = 0;
  while (next < kEnd) {
    Answer<Result<ports::Fetched>> answer;
    const auto handle = f.log().fetch("owls", 0, next, 1000, f.executor(), answer.taker());
    const ports::Fetched fetched = must(await(f, answer));
    found.insert(found.end(), fetched.records.begin(), fetched.records.end());
    REQUIRE(fetched.next > next);
    next = fetched.next;
  }
  CHECK(payloads(found) == numbered("m", 3));
  CHECK(next == kEnd);
  CHECK(range(f, "owls", 0).end == kEnd);
}

}  // namespace
}  // namespace host::contract
