// The log against librdkafka's own broker in memory, which can be told to refuse.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <future>
#include <optional>
#include <thread>

#include "host/adapters/kafka/kafka_log.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recorders.h"
#include "tests/unit/kafka_mock_cluster.h"

namespace {
std::atomic<bool> no_clients = false;
std::atomic<int> clients = 0;
}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
extern "C" {
rd_kafka_t* __real_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t* conf, char* why,
                                std::size_t size);
/// What every call of rd_kafka_new() of this program comes to.
rd_kafka_t* __wrap_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t* conf, char* why,
                                std::size_t size) {
  if (no_clients) {
    std::snprintf(why, size, "no thread is left");
    return nullptr;
  }
  ++clients;
  return __real_rd_kafka_new(type, conf, why, size);
}
}
// NOLINTEND(bugprone-reserved-identifier)

namespace host::kafka {
namespace {

constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kFindCoordinator = 10;
constexpr std::size_t kBig = 700'000;  // two do not fit into one request

/// A log on a cluster of this kind.
struct Logged : MockCluster {
  explicit Logged(Options options = {}) : lane(scheduler) {
    options.brokers = brokers();
    log = KafkaLog::make(std::move(options)).value();
  }

  /// What the broker answers to the next requests that bring records.
  void refuse(const std::vector<rd_kafka_resp_err_t>& codes) {
    rd_kafka_mock_push_request_errors_array(mock, kProduce, codes.size(), codes.data());
  }
  static ports::Append record(char letter, std::size_t size = kBig) {
    return {.topic = "owls",
            .partition = 0,
            .key = std::nullopt,
            .payload = std::string(size, letter),
            .headers = {}};
  }
  static std::vector<ports::Append> records(const std::string& letters, std::size_t size = kBig) {
    std::vector<ports::Append> out;
    for (const char letter : letters) out.push_back(record(letter, size));
    return out;
  }
  std::vector<Result<Offset>> append(std::vector<ports::Append> records) {
    std::optional<Result<std::vector<Result<Offset>>>> answer;
    log->append(std::move(records), lane, [&](auto result) { answer.emplace(std::move(result)); });
    REQUIRE(scheduler.wait_until([&] { return answer.has_value(); }, std::chrono::seconds(30)));
    return std::move(*answer).value();
  }
  /// As an outbox: asks again for what the log did not take. The letters of what it refused.
  std::string append_all(std::vector<ports::Append> records) {
    std::string refused;
    while (!records.empty()) {
      const std::vector<Result<Offset>> answers = append(records);
      std::vector<ports::Append> left;
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].ok()) continue;
        if (answers[i].error().retryable) {
          left.push_back(records[i]);
        } else {
          refused += records[i].payload[0];
        }
      }
      records = std::move(left);
      if (!records.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return refused;
  }
  /// The first letters of what a topic has.
  std::string written(const std::string& topic = "owls") {
    std::optional<Offset> end;
    log->range(topic, 0, lane, [&](auto range) { end = range.value().end; });
    REQUIRE(scheduler.wait_until([&] { return end.has_value(); }, std::chrono::seconds(20)));
    std::string found;
    Offset next = 0;
    while (next < *end) {
      bool answered = false;
      const auto fetch = log->fetch(topic, 0, next, 100'000'000, lane, [&](auto fetched) {
        answered = true;
        if (!fetched) return;
        for (const Record& record : fetched->records) found += record.payload[0];
        next = fetched->next;
      });
      REQUIRE(scheduler.wait_until([&] { return answered; }, std::chrono::seconds(20)));
    }
    return found;
  }
  /// What a receiver takes of it: what is not above the highest is a repeat.
  std::string taken() {
    std::string out;
    for (const char letter : written()) {
      if (out.empty() || letter > out.back()) out += letter;
    }
    return out;
  }

  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
  std::unique_ptr<KafkaLog> log;
};

// A new producer has no past in a partition: the broker would take its second request when it had
// refused the first, as it does while the partition changes its leader, and the first would never
// be there, or behind it, where receivers drop it as a repeat.
TEST_CASE("a record that the broker refuses for now is not overtaken by a later one") {
  Logged w;
  w.refuse({RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
  for (const auto& answer : w.append(Logged::records("abc"))) CHECK(answer.ok());
  CHECK(w.written() == "abc");
}

// What follows a request that failed for no reason that the client knows would be written, and the
// repeat of what failed dropped as seen before.
TEST_CASE("no record is written behind one whose request failed") {
  const auto code = GENERATE(RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
                             RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                             RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  Logged w;
  w.refuse({code});
  CHECK(w.append_all(Logged::records("abc")).empty());
  CHECK(w.taken() == "abc");
}

// One more may be on its way to the broker, which has seen others of this client and refuses it
// for its number; the broker of this test does not look.
TEST_CASE("none of what follows a failed request in its partition is acknowledged") {
  Logged w;
  CHECK(w.append_all(Logged::records("a")).empty());
  w.refuse({RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  for (const auto& answer : w.append(Logged::records("bcdef"))) {
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().retryable);
  }
  CHECK(w.append_all(Logged::records("bcdef")).empty());
  CHECK(w.taken() == "abcdef");
}

// Brokers refuse a whole request for its size, or for one record in it.
TEST_CASE("a refused request does not make dead letters of the good records in it") {
  const auto code =
      GENERATE(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  Logged w;
  w.append_all(Logged::records("a", 10));
  const std::string letters = "bcdefghijklmnopqrstuvwxyz";
  SECTION("all of them are good") {
    w.refuse({code});
    CHECK(w.append_all(Logged::records(letters, 10)).empty());
    CHECK(w.taken() == "a" + letters);
  }
  SECTION("one is not") {
    w.refuse({code, RD_KAFKA_RESP_ERR_NO_ERROR, code});
    CHECK(w.append_all(Logged::records(letters, 10)) == "c");
    CHECK(w.taken() == "ab" + letters.substr(2));
  }
}

TEST_CASE("a request that was damaged on its way is sent again") {
  Logged w;
  w.refuse({RD_KAFKA_RESP_ERR_INVALID_MSG});
  CHECK(w.append_all(Logged::records("a", 10)).empty());
  CHECK(w.written() == "a");
}

TEST_CASE("a record too large for any request is refused alone") {
  Logged w;
  std::vector<ports::Append> records = Logged::records("abc", 10);
  records[1].payload.resize(3'000'000, 'b');
  CHECK(w.append_all(std::move(records)) == "b");
  CHECK(w.written() == "ac");
}

TEST_CASE("a topic that was there is waited for, one that never was is refused") {
  Logged w;
  ports::Append lost = Logged::record('x', 10);
  lost.topic = "wands";
  rd_kafka_mock_topic_set_error(w.mock, "wands", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const auto never = w.append({lost});
  REQUIRE_FALSE(never[0].ok());
  CHECK_FALSE(never[0].error().retryable);
  REQUIRE(w.append(Logged::records("a", 10))[0].ok());
  rd_kafka_mock_topic_set_error(w.mock, "owls", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  w.refuse(std::vector(1000, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
  const auto away = w.append(Logged::records("b", 10));
  REQUIRE_FALSE(away[0].ok());
  CHECK(away[0].error().retryable);
  rd_kafka_mock_topic_set_error(w.mock, "owls", RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_mock_clear_request_errors(w.mock, kProduce);
  CHECK(w.append_all(Logged::records("b", 10)).empty());
  CHECK(w.written() == "ab");
}

TEST_CASE("a topic that may not be written holds up no other, and the answer says why") {
  Logged w;
  REQUIRE(rd_kafka_mock_topic_create(w.mock, "cats", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  std::vector<ports::Append> records = Logged::records("abc", 10);
  records[1].topic = "cats";
  rd_kafka_mock_topic_set_error(w.mock, "cats", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  auto answers = w.append(records);
  REQUIRE_FALSE(answers[1].ok());
  CHECK(answers[1].error().retryable);
  CHECK(answers[1].error().message.find("cats") != std::string::npos);
  answers = w.append(Logged::records("d", 10));
  CHECK(answers[0].ok());
  rd_kafka_mock_topic_set_error(w.mock, "cats", RD_KAFKA_RESP_ERR_NO_ERROR);
  CHECK(w.append_all({records[1]}).empty());
  CHECK(w.written("cats") == "b");
}

TEST_CASE("a client that cannot be made anew is tried again, and appends have their answers") {
  fakes::RecordingLogger logger;
  Logged w({.brokers = {}, .logger = &logger});
  w.append_all(Logged::records("a", 10));
  no_clients = true;
  w.refuse({RD_KAFKA_RESP_ERR_UNKNOWN});
  for (int i = 0; i < 2; ++i) {
    const auto answers = w.append(Logged::records("b", 10));
    REQUIRE_FALSE(answers[0].ok());
    CHECK(answers[0].error().retryable);
  }
  no_clients = false;
  CHECK(w.append_all(Logged::records("b", 10)).empty());
  CHECK(w.taken() == "ab");
  const auto said = logger.find(ports::LogLevel::warn, "cannot be made anew");
  REQUIRE_FALSE(said.empty());
  CHECK(said[0].field("why").find("no thread is left") != std::string::npos);
}

TEST_CASE("a log that ends makes no client") {
  Logged w;
  w.append_all(Logged::records("a", 10));
  const int before = clients;
  w.log.reset();
  CHECK(clients == before);
}

TEST_CASE("what waits for brokers that are away is bounded") {
  Logged w({.brokers = {}, .waiting_bytes = 1000});
  REQUIRE(w.append(Logged::records("a", 10))[0].ok());
  REQUIRE(rd_kafka_mock_broker_set_down(w.mock, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  bool answered = false;
  w.log->append(Logged::records("b", 1000), w.lane, [&](auto result) {
    answered = true;
    CHECK(result.value()[0].ok());
  });
  std::optional<Error> refused;
  w.log->append(Logged::records("c", 10), w.lane,
                [&](auto result) { refused = std::move(result).error(); });
  REQUIRE(w.scheduler.wait_until([&] { return refused.has_value(); }, std::chrono::seconds(20)));
  CHECK(refused->code == Error::Code::unavailable);
  CHECK_FALSE(answered);
  REQUIRE(rd_kafka_mock_broker_set_up(w.mock, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  REQUIRE(w.scheduler.wait_until([&] { return answered; }, std::chrono::seconds(30)));
  CHECK(w.append(Logged::records("c", 10))[0].ok());
  CHECK(w.written() == "abc");
}

/// What the group of plugin `owls` has of the first partition of its topic.
Offset offset_of_group(const MockCluster& cluster) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] :
       {std::pair{"bootstrap.servers", cluster.brokers()}, std::pair{"group.id", "host.owls"}}) {
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
  MockCluster cluster;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane(scheduler);
  auto log = KafkaLog::make(
      {.brokers = cluster.brokers(), .answer_within = std::chrono::milliseconds(300)});
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
