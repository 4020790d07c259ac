// Reading from librdkafka's own broker in memory, which can be told to refuse.
#include <chrono>

#include "host/adapters/kafka/kafka_log.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recorders.h"
#include "tests/unit/kafka_mock_cluster.h"

namespace host::kafka {
namespace {

constexpr std::int16_t kListOffsets = 2;

/// One log and who reads from it.
struct World {
  explicit World(Options options) : lane(scheduler) {
    options.logger = &logger;
    Result<std::unique_ptr<KafkaLog>> made = KafkaLog::make(std::move(options));
    REQUIRE(made);
    log = std::move(*made);
  }

  /// A record into each of these.
  void append(const std::vector<PartitionNumber>& partitions) {
    std::vector<ports::Append> list;
    for (const PartitionNumber p : partitions) {
      list.push_back({"owls", p, std::nullopt, "letter", {}});
    }
    bool answered = false;
    log->append(std::move(list), lane, [&](auto result) {
      answered = true;
      CHECK(result.ok());
    });
    wait_for([&] { return answered; });
  }
  void wait_for(const std::function<bool()>& done) {
    REQUIRE(scheduler.wait_until(done, std::chrono::seconds(30)));
  }

  fakes::RecordingLogger logger;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
  std::unique_ptr<KafkaLog> log;
};

/// The broker is silent from its next answer about offsets on, for whoever asked.
void stop_telling_offsets(const MockCluster& cluster) {
  constexpr int kSilentMs = 3'600'000;
  REQUIRE(rd_kafka_mock_broker_push_request_error_rtts(cluster.mock, 1, kListOffsets, 1,
                                                       RD_KAFKA_RESP_ERR_NO_ERROR,
                                                       kSilentMs) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

TEST_CASE("a broker that does not tell offsets is waited for as long as it was said") {
  MockCluster cluster;
  World w({.brokers = cluster.brokers(), .answer_within = std::chrono::milliseconds(500)});
  w.append({0});
  stop_telling_offsets(cluster);
  std::optional<Result<ports::Log::Range>> range;
  w.log->range("owls", 0, w.lane, [&](auto told) { range.emplace(std::move(told)); });
  w.wait_for([&] { return range.has_value(); });
  REQUIRE_FALSE(range->ok());
  CHECK(range->error().retryable);
}

// The client's own question for both ends took the end for the start when a broker refused to tell
// the start, and who believes that has lost all that the partition holds.
TEST_CASE("the start of a partition is never told wrong by a broker that refuses for now") {
  MockCluster cluster;
  World w({.brokers = cluster.brokers()});
  w.append({0, 0, 0});
  std::vector<rd_kafka_resp_err_t> errors;
  for (int i = 0; i < 500; ++i) {
    errors.push_back(RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE);
    errors.push_back(RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  rd_kafka_mock_push_request_errors_array(cluster.mock, kListOffsets, errors.size(), errors.data());
  for (int i = 0; i < 100; ++i) {
    std::optional<Result<ports::Log::Range>> range;
    w.log->range("owls", 0, w.lane, [&](auto told) { range.emplace(std::move(told)); });
    w.wait_for([&] { return range.has_value(); });
    if (range->ok()) CHECK((*range)->start == 0);
  }
}

}  // namespace
}  // namespace host::kafka
