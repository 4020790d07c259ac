// Reading from librdkafka's own broker in memory, which can be told to refuse.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "host/adapters/kafka/kafka_log.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/tls_pair.h"
#include "tests/unit/kafka_mock_cluster.h"

namespace host::kafka {
namespace {

constexpr std::int16_t kFetch = 1;
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
  /// For what nobody posts.
  static void poll_for(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  fakes::RecordingLogger logger;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
  std::unique_ptr<KafkaLog> log;
};

/// A fetch and its answer.
struct Fetching {
  Fetching(World& world, PartitionNumber partition, Offset from)
      : handle(world.log->fetch("owls", partition, from, 1, world.lane,
                                [this](auto fetched) { answer.emplace(std::move(fetched)); })) {}
  Fetching(const Fetching&) = delete;
  Fetching& operator=(const Fetching&) = delete;

  std::optional<Result<ports::Fetched>> answer;
  std::unique_ptr<ports::Log::Fetch> handle;
};

Error error_of(World& world, PartitionNumber partition, Offset from) {
  Fetching fetch(world, partition, from);
  world.wait_for([&] { return fetch.answer.has_value(); });
  REQUIRE_FALSE(fetch.answer->ok());
  return fetch.answer->error();
}

// A shard takes `exhausted` for a loss by retention and stops.
TEST_CASE("a partition that is read from too many places is to be tried again") {
  MockCluster cluster;
  World w({.brokers = cluster.brokers(), .most_readers = 1});
  w.append({0});
  Fetching first(w, 0, 1);
  const Error error = error_of(w, 0, 0);
  CHECK(error.code == Error::Code::unavailable);
  CHECK(error.retryable);
}

// Giving partitions back takes a while. A record that was taken in it made room that nobody saw.
TEST_CASE("a partition that is emptied while it is given back is read on") {
  constexpr PartitionNumber kOthers = 30;
  (void)GENERATE(range(0, 5));
  MockCluster cluster(kOthers + 1);
  World w({.brokers = cluster.brokers(), .read_ahead_bytes = 2});
  // Nobody takes what the others hold, so all of them are given back, before this one.
  auto read = std::make_unique<Fetching>(w, kOthers, 0);
  for (PartitionNumber p = 0; p < kOthers; ++p) Fetching(w, p, 0);
  std::vector<PartitionNumber> all(kOthers + 2, kOthers);
  std::iota(all.begin(), all.begin() + kOthers, 0);
  w.append(all);
  w.append({kOthers});
  for (Offset next = 0; next < 3;) {
    w.wait_for([&] { return read->answer.has_value(); });
    REQUIRE(read->answer->ok());
    next = (*read->answer)->next;
    read = std::make_unique<Fetching>(w, kOthers, next);
  }
}

TEST_CASE("a partition whose records cannot be read says why, until they can") {
  const auto code = GENERATE(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                             RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE);
  MockCluster cluster;
  World w({.brokers = cluster.brokers()});
  w.append({0});
  const std::vector<rd_kafka_resp_err_t> errors(1000, code);
  rd_kafka_mock_push_request_errors_array(cluster.mock, kFetch, errors.size(), errors.data());
  for (int i = 0; i < 2; ++i) {
    const Error error = error_of(w, 0, 0);
    CHECK(error.retryable);
    CHECK_THAT(error.message, Catch::Contains("owls") && Catch::Contains(rd_kafka_err2str(code)));
  }
  rd_kafka_mock_clear_request_errors(cluster.mock, kFetch);
  std::unique_ptr<Fetching> fetch;
  w.wait_for([&] {
    if (fetch && fetch->answer && fetch->answer->ok()) return true;
    if (!fetch || fetch->answer) fetch = std::make_unique<Fetching>(w, 0, 0);
    return false;
  });
  CHECK((*fetch->answer)->records.size() == 1);
  CHECK(w.logger.find(ports::LogLevel::warn, "cannot be read").size() == 1);
}

/// The broker is silent from its next answer about offsets on, for whoever asked.
void stop_telling_offsets(const MockCluster& cluster) {
  constexpr int kSilentMs = 3'600'000;
  REQUIRE(rd_kafka_mock_broker_push_request_error_rtts(cluster.mock, 1, kListOffsets, 1,
                                                       RD_KAFKA_RESP_ERR_NO_ERROR,
                                                       kSilentMs) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

TEST_CASE("a partition whose offsets nobody tells does not keep the others from being read") {
  MockCluster cluster(2);
  World w({.brokers = cluster.brokers(), .answer_within = std::chrono::seconds(3)});
  w.append({1});
  stop_telling_offsets(cluster);
  Fetching beyond_end(w, 0, 5);
  World::poll_for([&] {
    std::size_t unasked = 1;
    rd_kafka_mock_broker_error_stack_cnt(cluster.mock, 1, kListOffsets, &unasked);
    return unasked == 0;
  });
  Fetching other(w, 1, 0);
  w.wait_for([&] { return other.answer.has_value(); });
  CHECK(other.answer->ok());
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

// As when certificates are renewed while the host runs.
TEST_CASE("a reader whose client cannot be made is tried again until it can") {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("kafka-reader-" + std::to_string(getpid()));
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  const std::string good = fakes::make_tls_pair("localhost").certificate;
  write(good);
  {
    World w({.brokers = "127.0.0.1:1",
             .settings = {{"security.protocol", "ssl"}, {"ssl.ca.location", file.string()}}});
    write(good.substr(0, good.size() / 2));
    const Error error = error_of(w, 0, 0);
    write(good);
    CHECK(error.retryable);
    CHECK_THAT(error.message, Catch::Contains("ssl.ca.location"));
    World::poll_for([&] {
      const auto lines = w.logger.find(ports::LogLevel::debug, "Connect to");
      return std::any_of(lines.begin(), lines.end(), [](const auto& line) {
        return line.field("client").find("consumer") != std::string::npos;
      });
    });
  }
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace host::kafka
