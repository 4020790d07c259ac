#include "host/runtime/outbox.h"

#include "tests/runtime/shard_fixture.h"

namespace host::runtime {
namespace {

struct World : Outside {
  explicit World(PartitionNumber count = 1) : Outside(false, count) {
    outbox.on_progress(
        [this] { ++progress; },
        [this](const ports::OutgoingRow& row, const Error&) { refused.push_back(row.seq); });
  }
  static std::vector<ports::OutgoingRow> rows(std::int64_t from, std::int64_t to) {
    std::vector<ports::OutgoingRow> out;
    for (std::int64_t seq = from; seq <= to; ++seq) {
      out.push_back({1,
                     seq,
                     {.topic = "out",
                      .partition = 0,
                      .key = "k",
                      .payload = std::to_string(seq),
                      .headers = {}}});
    }
    return out;
  }
  std::vector<std::string> sent() {
    std::vector<std::string> out;
    for (const Record& record : log.records("out")) out.push_back(record.payload);
    return out;
  }
  using Lines = std::vector<std::string>;

  fakes::ManualExecutor lane{scheduler};
  Outbox outbox{env, lane};
  int progress = 0;
  std::vector<std::int64_t> refused;
};

}  // namespace

TEST_CASE("rows go to the log in their order, and the watermark follows", "[outbox]") {
  World w;
  w.outbox.adopt(4, World::rows(5, 6));
  w.outbox.add(World::rows(7, 8));
  REQUIRE(w.outbox.acked() == 4);
  w.settle();
  REQUIRE(w.sent() == World::Lines{"5", "6", "7", "8"});
  REQUIRE(w.outbox.acked() == 8);
  REQUIRE(w.outbox.rows() == 0);
  REQUIRE(w.progress == 2);
}

TEST_CASE("what the log may not have is sent again, in order", "[outbox]") {
  const bool written = GENERATE(true, false);
  World w;
  w.log.fail_next_append(retryable_error(Error::Code::timeout, "no answer"), written);
  w.outbox.adopt(0, World::rows(1, 2));
  w.settle();
  REQUIRE(w.outbox.acked() == 0);
  w.outbox.add(World::rows(3, 3));
  w.pass(seconds(1));
  REQUIRE(w.sent() ==
          (written ? World::Lines{"1", "2", "1", "2", "3"} : World::Lines{"1", "2", "3"}));
  REQUIRE(w.outbox.acked() == 3);
}

TEST_CASE("a row that the log refuses for good is handed over and holds nobody up", "[outbox]") {
  World w;
  w.log.refuse_when([](const ports::Append& a) -> std::optional<Error> {
    if (a.payload != "2") return std::nullopt;
    return make_error(Error::Code::invalid, "too large");
  });
  w.outbox.adopt(0, World::rows(1, 3));
  w.settle();
  REQUIRE(w.refused == std::vector<std::int64_t>{2});
  REQUIRE(w.outbox.acked() == 3);
}

/// Odd payloads go to a partition of their own.
std::vector<ports::OutgoingRow> two_places(std::int64_t to) {
  std::vector<ports::OutgoingRow> rows = World::rows(1, to);
  for (ports::OutgoingRow& row : rows) row.record.partition = row.seq % 2;
  return rows;
}

// One target that could not be written made a shard send everything again five times a second.
TEST_CASE("only what the log did not take is sent again, in order", "[outbox]") {
  World w(2);
  bool away = true;
  w.log.delay_when([&away](const ports::Append& a) -> std::optional<Error> {
    if (!away || a.payload != "3") return std::nullopt;
    return retryable_error(Error::Code::unavailable, "not allowed");
  });
  w.outbox.adopt(0, two_places(6));
  w.settle();
  REQUIRE(w.sent() == World::Lines{"2", "4", "6", "1"});
  REQUIRE(w.outbox.acked() == 2);  // 4 and 6 may come again after a crash
  REQUIRE(w.outbox.rows() == 2);
  w.outbox.add(World::rows(7, 7));
  w.pass(seconds(10));
  REQUIRE(w.sent() == World::Lines{"2", "4", "6", "1"});
  away = false;
  w.pass(seconds(5));
  REQUIRE(w.log.records("out", 1).size() == 3);
  REQUIRE(w.sent() == World::Lines{"2", "4", "6", "7", "1", "3", "5"});
  REQUIRE(w.outbox.acked() == 7);
}

TEST_CASE("a log that takes nothing is asked ever less often, and it says why", "[outbox]") {
  World w;
  int asked = 0;
  w.log.delay_when([&asked](const ports::Append&) -> std::optional<Error> {
    ++asked;
    return retryable_error(Error::Code::unavailable, "not allowed");
  });
  w.outbox.adopt(0, World::rows(1, 1));
  w.pass(seconds(60));
  REQUIRE(asked > 10);
  REQUIRE(asked < 20);
  REQUIRE(w.outbox.why() == "not allowed");
  REQUIRE(w.logger.find(ports::LogLevel::warn, "does not take").size() == 1);
  w.log.delay_when(nullptr);
  w.pass(seconds(6));
  REQUIRE(w.outbox.rows() == 0);
  REQUIRE(w.outbox.why().empty());
}

// Its dead letter would be written twice by a process that dies between the two.
TEST_CASE("a refusal waits for the rows before it", "[outbox]") {
  World w(2);
  bool away = true;
  w.log.delay_when([&away](const ports::Append& a) -> std::optional<Error> {
    if (!away || a.payload != "1") return std::nullopt;
    return retryable_error(Error::Code::unavailable, "away");
  });
  w.log.refuse_when([](const ports::Append& a) -> std::optional<Error> {
    if (a.payload != "2") return std::nullopt;
    return make_error(Error::Code::invalid, "too large");
  });
  w.outbox.adopt(0, two_places(2));
  w.settle();
  REQUIRE(w.refused.empty());
  away = false;
  w.pass(seconds(1));
  REQUIRE(w.refused == std::vector<std::int64_t>{2});
  REQUIRE(w.outbox.acked() == 2);
}

TEST_CASE("answers from before a claim do not count after it", "[outbox]") {
  World w;
  w.log.hold_appends(fakes::FakeLog::Hold::answers);
  w.outbox.adopt(0, World::rows(1, 2));
  w.settle();
  w.outbox.adopt(0, World::rows(1, 2));
  w.log.release_appends();
  w.settle();
  REQUIRE(w.outbox.acked() == 2);
  REQUIRE(w.outbox.rows() == 0);
}

TEST_CASE("an outbox is full by rows or by bytes until the log took them", "[outbox]") {
  World w;
  SECTION("rows") { w.env.limits.outbox_rows = 2; }
  SECTION("bytes") { w.env.limits.outbox_bytes = 300; }
  w.log.hold_appends(fakes::FakeLog::Hold::answers);
  w.outbox.adopt(0, World::rows(1, 2));
  REQUIRE(w.outbox.full());
  w.log.release_appends();
  w.settle();
  REQUIRE_FALSE(w.outbox.full());
}

}  // namespace host::runtime
