// The log against librdkafka's own broker in memory, which can be told to refuse.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "host/adapters/kafka/kafka_log.h"
#include "tests/fakes/manual_executor.h"

namespace host::kafka {
namespace {

constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kFindCoordinator = 10;
constexpr std::size_t kBig = 700'000;  // two do not fit into one request

struct Cluster {
  Cluster() {
    std::array<char, 512> why{};
    client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why.data(), why.size()));
    REQUIRE(client);
    mock = rd_kafka_mock_cluster_new(client.get(), 1);
    REQUIRE(mock != nullptr);
    REQUIRE(rd_kafka_mock_topic_create(mock, "owls", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  ~Cluster() { rd_kafka_mock_cluster_destroy(mock); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  ClientHandle client;
  rd_kafka_mock_cluster_t* mock = nullptr;
};

/// The first letters of what the topic has.
std::string letters(KafkaLog& log, fakes::Scheduler& scheduler, Executor& lane, std::size_t count) {
  std::string found;
  Offset next = 0;
  while (found.size() < count) {
    bool answered = false;
    const auto fetch = log.fetch("owls", 0, next, 100'000'000, lane, [&](auto fetched) {
      answered = true;
      if (!fetched) return;
      for (const Record& record : fetched->records) found += record.payload[0];
      next = fetched->next;
    });
    REQUIRE(scheduler.wait_until([&] { return answered; }, std::chrono::seconds(20)));
  }
  return found;
}

// A new producer has no past in a partition: the broker would take its second request when it had
// refused the first, as it does while the partition changes its leader, and the first would never
// be there, or behind it, where receivers drop it as a repeat.
TEST_CASE("a record that the broker refuses for now is not overtaken by a later one") {
  Cluster cluster;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane(scheduler);
  auto log = KafkaLog::make({.brokers = rd_kafka_mock_cluster_bootstraps(cluster.mock)});
  REQUIRE(log);
  rd_kafka_mock_push_request_errors(cluster.mock, kProduce, 1,
                                    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
  std::vector<ports::Append> records;
  for (const char letter : {'a', 'b', 'c'}) {
    ports::Append record;
    record.topic = "owls";
    record.partition = 0;
    record.payload = std::string(kBig, letter);
    records.push_back(std::move(record));
  }
  bool answered = false;
  (*log)->append(std::move(records), lane, [&](auto result) {
    answered = true;
    CHECK(result.ok());
  });
  REQUIRE(scheduler.wait_until([&] { return answered; }, std::chrono::seconds(30)));
  CHECK(letters(**log, scheduler, lane, 3) == "abc");
}

/// What the group of plugin `owls` has of the first partition of its topic.
Offset offset_of_group(const Cluster& cluster) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] :
       {std::pair{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster.mock)},
        std::pair{"group.id", "host.owls"}}) {
    REQUIRE(rd_kafka_conf_set(conf, name, value, why.data(), why.size()) == RD_KAFKA_CONF_OK);
  }
  const ClientHandle client(rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size()));
  REQUIRE(client);
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* place = rd_kafka_topic_partition_list_add(list.get(), "owls", 0);
  REQUIRE(rd_kafka_committed(client.get(), list.get(), 5'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  return place->offset;
}

// A client that is destroyed waits for the commit of offsets that it began: while it knows no
// coordinator as long as a member of its group may be silent, 45 s; while the coordinator does not
// answer as long as a request may take, 60 s.
TEST_CASE("a log that cannot write the offsets of a group ends all the same") {
  Cluster cluster;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane(scheduler);
  auto log = KafkaLog::make({.brokers = rd_kafka_mock_cluster_bootstraps(cluster.mock),
                             .answer_within = std::chrono::milliseconds(300)});
  REQUIRE(log);
  SECTION("there is no coordinator") {
    const std::vector<rd_kafka_resp_err_t> none(1000, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    rd_kafka_mock_push_request_errors_array(cluster.mock, kFindCoordinator, none.size(),
                                            none.data());
  }
  SECTION("the coordinator does not answer any more") {
    (*log)->note_read("owls", "owls", 0, 1);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (offset_of_group(cluster) != 1) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    REQUIRE(rd_kafka_mock_broker_set_rtt(cluster.mock, 1, 100'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  (*log)->note_read("owls", "owls", 0, 2);
  auto ended = std::async(std::launch::async, [log = std::move(*log)]() mutable { log.reset(); });
  CHECK(ended.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
}

}  // namespace
}  // namespace host::kafka
