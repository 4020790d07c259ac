// The log against librdkafka's own broker in memory, which can be told to refuse.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <catch2/catch.hpp>
#include <future>

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

// While a client is destroyed it looks for no coordinator any more, and would wait for the commit
// of offsets that none takes as long as a member of the group may be silent: 45 s.
TEST_CASE("a log that cannot write the offsets of a group ends all the same") {
  Cluster cluster;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane(scheduler);
  auto log = KafkaLog::make({.brokers = rd_kafka_mock_cluster_bootstraps(cluster.mock),
                             .answer_within = std::chrono::milliseconds(300)});
  REQUIRE(log);
  const std::vector<rd_kafka_resp_err_t> nobody(1000, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
  rd_kafka_mock_push_request_errors_array(cluster.mock, kFindCoordinator, nobody.size(),
                                          nobody.data());
  (*log)->note_read("owls", "owls", 0, 1);
  auto ended = std::async(std::launch::async, [log = std::move(*log)]() mutable { log.reset(); });
  CHECK(ended.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
}

}  // namespace
}  // namespace host::kafka
