// What the fakes do beyond the ports: their handles, chances and virtual time.

#include <catch2/catch.hpp>

#include "tests/contract/contract_support.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/seeded_chance.h"

namespace host::fakes {
namespace {

using contract::Answer;
using ports::CommitResult;
using ports::ShardCommit;
using Appended = Result<std::vector<Result<Offset>>>;
using Status = CommitResult::Status;
using std::chrono::milliseconds;

const ShardRef kShard{"owls", 0};

struct Place {
  explicit Place(FakeLog::Manners log_manners = {}, FakeStore::Manners store_manners = {},
                 std::uint64_t seed = 1)
      : scheduler(seed),
        fake(scheduler.clock(), log_manners, seed),
        store(scheduler.clock(), fake, store_manners, seed),
        lane(scheduler) {
    contract::make_topics(*this, {"letters"});
  }

  ports::Log& log() { return fake; }
  Executor& executor() { return lane; }
  bool pump(const std::function<bool()>& until) { return scheduler.run_until(until); }
  void idle() { REQUIRE(scheduler.run_until_idle()); }

  Answer<Appended> append(const std::string& payload) { return append(payload, lane); }
  Answer<Appended> append(const std::string& payload, Executor& by) {
    Answer<Appended> answer;
    fake.append({{"letters", 0, "k", payload, {}}}, by, answer.taker());
    return answer;
  }
  std::vector<std::string> written() {
    std::vector<std::string> out;
    for (const Record& record : fake.records("letters", 0)) out.push_back(record.payload);
    return out;
  }
  ports::ShardImage claim() {
    Answer<Result<ports::ShardImage>> answer;
    store.claim(kShard, lane, answer.taker());
    return contract::must(contract::await(*this, answer));
  }
  static std::shared_ptr<ShardCommit> change(const ports::ShardImage& image, std::string bytes) {
    auto commit = std::make_shared<ShardCommit>();
    commit->shard = kShard;
    commit->epoch = image.epoch;
    commit->commit_no = image.commit_no;
    commit->states = {{"harry", {std::move(bytes), 1, {}}}};
    return commit;
  }
  Answer<CommitResult> commit(const std::shared_ptr<ShardCommit>& what) {
    Answer<CommitResult> answer;
    store.commit(what, lane, answer.taker());
    return answer;
  }

  Scheduler scheduler;
  FakeLog fake;
  FakeStore store;
  ManualExecutor lane;
};

// ---- time ----

TEST_CASE("delayed work runs at its time, in its order") {
  Scheduler scheduler;
  ManualExecutor lane(scheduler);
  std::vector<std::pair<std::string, Duration>> ran;
  const Time start = scheduler.clock().now();
  const auto note = [&](std::string name) {
    return [&ran, &scheduler, start, name] {
      ran.emplace_back(name, scheduler.clock().now() - start);
    };
  };
  lane.post_after(milliseconds(20), note("second"));
  lane.post_after(milliseconds(10), note("first"));
  const auto cancelled = lane.post_after(milliseconds(15), note("cancelled"));
  lane.post_after(milliseconds(40), note("later"));
  lane.post(note("now"));
  lane.cancel(cancelled);
  REQUIRE(scheduler.advance(milliseconds(30)));
  CHECK(ran == std::vector<std::pair<std::string, Duration>>{{"now", Duration{0}},
                                                             {"first", milliseconds(10)},
                                                             {"second", milliseconds(20)}});
  CHECK(scheduler.clock().now() == start + milliseconds(30));
  CHECK(scheduler.next_due() == start + milliseconds(40));
}

TEST_CASE("a loop that never ends hits the step limit") {
  Scheduler scheduler;
  ManualExecutor lane(scheduler);
  std::function<void()> again = [&] { lane.post([&] { again(); }); };
  again();
  CHECK_FALSE(scheduler.run_until_idle(1000));
  CHECK_FALSE(scheduler.advance(milliseconds(1), 1000));
  CHECK_FALSE(scheduler.run_until([] { return false; }, 1000));
}

TEST_CASE("a seed decides how executors interleave, never the order within one") {
  const auto history = [](std::uint64_t seed) {
    Scheduler scheduler(seed);
    ManualExecutor a(scheduler), b(scheduler);
    std::string order;
    for (char c = '0'; c <= '9'; ++c) {
      a.post([&order, c] { order += c; });
      b.post([&order, c] { order += static_cast<char>('a' + (c - '0')); });
    }
    REQUIRE(scheduler.run_until_idle());
    return order;
  };
  CHECK(history(0) == "0a1b2c3d4e5f6g7h8i9j");
  CHECK(history(5) == history(5));
  CHECK(history(5) != history(6));
  std::string digits = history(5);
  std::erase_if(digits, [](char c) { return c > '9'; });
  CHECK(digits == "0123456789");
}

TEST_CASE("a paused executor waits while time passes, a killed one never runs again") {
  Scheduler scheduler;
  ManualExecutor zombie(scheduler), victim(scheduler);
  int ran = 0;
  auto kept = std::make_shared<int>();
  zombie.pause();
  zombie.post([&] { ++ran; });
  zombie.post_after(milliseconds(1), [&] { ++ran; });
  victim.post([&ran, kept] { ran += 100; });
  victim.kill();
  CHECK(kept.use_count() == 1);
  victim.post([&] { ran += 100; });
  REQUIRE(scheduler.advance(milliseconds(10)));
  CHECK(ran == 0);
  zombie.resume();
  REQUIRE(scheduler.run_until_idle());
  CHECK(ran == 2);
}

// ---- log ----

TEST_CASE("a held append is written at once or on release, and answered on release") {
  Place p;
  p.fake.hold_appends(FakeLog::Hold::answers);
  const auto answers = p.append("written");
  p.idle();
  CHECK_FALSE(answers.arrived());
  CHECK(p.written() == std::vector<std::string>{"written"});
  p.fake.hold_appends(FakeLog::Hold::writes);
  const auto writes = p.append("late");
  p.idle();
  CHECK(p.written().size() == 1);
  CHECK(p.fake.held_appends() == 2);
  p.fake.release_appends();
  p.idle();
  CHECK(answers.calls() == 1);
  CHECK(writes.calls() == 1);
  CHECK(p.written() == std::vector<std::string>{"written", "late"});
}

TEST_CASE("an append whose outcome is unknown may have been written") {
  Place p;
  p.fake.fail_next_append(make_error(Error::Code::timeout, "too late"), true);
  p.fake.fail_next_append(make_error(Error::Code::timeout, "too late"), false);
  const auto written = p.append("written");
  p.idle();
  const auto lost = p.append("lost");
  p.idle();
  CHECK(written->error().code == Error::Code::timeout);
  CHECK(lost->error().code == Error::Code::timeout);
  CHECK(p.written() == std::vector<std::string>{"written"});
}

TEST_CASE("what was in flight behind a lost append is lost with it: no holes") {
  Place p;
  p.fake.fail_next_append(make_error(Error::Code::timeout, "too late"), false);
  const auto lost = p.append("1"), behind = p.append("2");
  p.idle();
  CHECK_FALSE(lost->ok());
  CHECK_FALSE(behind->ok());
  CHECK(p.append("3").calls() == 0);
  p.idle();
  CHECK(p.written() == std::vector<std::string>{"3"});
}

TEST_CASE("behind a record that is not acknowledged there is none in its partition") {
  Place p({.partly = 1}, {}, GENERATE(1, 2, 3, 4, 5));
  std::vector<ports::Append> records;
  for (int i = 0; i < 8; ++i) {
    records.push_back({"letters", i % 2, "k", std::to_string(i), {}});
  }
  const std::vector<Result<Offset>> answers = contract::append(p, records);
  int missing = 0;
  for (int partition : {0, 1}) {
    bool closed = false;
    for (std::size_t i = partition; i < answers.size(); i += 2) {
      closed |= !answers[i].ok();
      CHECK(answers[i].ok() != closed);
      if (!closed) continue;
      ++missing;
      CHECK(answers[i].error().retryable);
    }
  }
  CHECK(missing > 0);
}

TEST_CASE("a record that is refused for good is an entry's error") {
  Place p;
  p.fake.refuse_when([](const ports::Append& record) -> std::optional<Error> {
    if (record.payload != "bad") return std::nullopt;
    return make_error(Error::Code::invalid, "too ugly");
  });
  Answer<Appended> answer;
  p.fake.append({{"letters", 0, "k", "bad", {}}, {"letters", 0, "k", "good", {}}}, p.lane,
                answer.taker());
  p.idle();
  REQUIRE(answer->ok());
  CHECK(answer->value()[0].error().message == "too ugly");
  CHECK(answer->value()[1].ok());
  CHECK(p.written() == std::vector<std::string>{"good"});
}

TEST_CASE("an unassigned partition fails fetches until it is assigned again") {
  Place p;
  Answer<Result<ports::Fetched>> waiting, refused, again;
  const auto first = p.fake.fetch("letters", 0, 0, 1000, p.lane, waiting.taker());
  p.fake.unassign("letters", 0);
  p.idle();
  REQUIRE(waiting.arrived());
  CHECK(waiting->error().code == Error::Code::unavailable);
  CHECK(waiting->error().retryable);
  const auto second = p.fake.fetch("letters", 0, 0, 1000, p.lane, refused.taker());
  p.idle();
  CHECK_FALSE(refused->ok());
  p.fake.assign("letters", 0);
  p.append("m");
  const auto third = p.fake.fetch("letters", 0, 0, 1000, p.lane, again.taker());
  p.idle();
  CHECK(again->ok());
}

TEST_CASE("a fetch passes a gap of offsets") {
  Place p;
  p.append("a");
  p.fake.add_gap("letters", 0, 5);
  p.append("b");
  p.fake.add_gap("letters", 0, 2);
  Answer<Result<ports::Fetched>> answer;
  const auto handle = p.fake.fetch("letters", 0, 1, 1000, p.lane, answer.taker());
  p.idle();
  REQUIRE(answer->value().records.size() == 1);
  CHECK(answer->value().records[0].offset == 6);
  CHECK(answer->value().next == 9);
}

TEST_CASE("Kafka's manners show up within a few appends: gaps, doubles, late answers") {
  Place p({.gap = 0.3, .repeat = 0.3, .unassign = 0.3, .delay = milliseconds(50)});
  std::vector<Answer<Appended>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(p.append(std::to_string(i)));
  p.idle();
  CHECK_FALSE(answers.back().arrived());
  REQUIRE(p.scheduler.advance(milliseconds(60)));
  for (const auto& answer : answers) CHECK(answer->ok());
  const auto records = p.fake.records("letters", 0);
  CHECK(records.size() > 50);
  CHECK(records.back().offset + 1 > static_cast<Offset>(records.size()));
  CHECK(std::is_sorted(records.begin(), records.end(),
                       [](const Record& a, const Record& b) { return a.offset < b.offset; }));
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    Answer<Result<ports::Fetched>> answer;
    const auto handle = p.fake.fetch("letters", 0, 0, 1000, p.lane, answer.taker());
    p.idle();
    refused += answer->ok() ? 0 : 1;
  }
  CHECK(refused > 0);
  CHECK(refused < 50);
}

TEST_CASE("the death of a process loses appends in flight or not, as the seed says") {
  int kept = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Place p({.delay = milliseconds(50)}, {}, seed);
    ManualExecutor process(p.scheduler);
    const auto first = p.append("1", process), second = p.append("2", process);
    process.kill();
    REQUIRE(p.scheduler.advance(milliseconds(100)));
    CHECK_FALSE(first.arrived());
    const auto got = p.written();
    if (!got.empty()) CHECK(got[0] == "1");  // never the second without the first
    kept += static_cast<int>(got.size());
    p.fake.forget(process);
  }
  CHECK(kept > 10);
  CHECK(kept < 70);
}

TEST_CASE("a fetch of a dead executor is forgotten, the log lives on") {
  Place p;
  Answer<Result<ports::Fetched>> lost, got;
  {
    ManualExecutor process(p.scheduler);
    const auto handle = p.fake.fetch("letters", 0, 0, 1000, process, lost.taker());
    p.fake.forget(process);
  }
  CHECK(p.fake.waiting_fetches() == 0);
  p.append("m");
  const auto handle = p.fake.fetch("letters", 0, 0, 1000, p.lane, got.taker());
  p.idle();
  CHECK(got->ok());
  CHECK_FALSE(lost.arrived());
}

// ---- store ----

TEST_CASE("each planned failure of a commit ends as it says") {
  Place p;
  const auto tried = [&](FakeStore::Failure failure) {
    const auto image = p.claim();
    p.store.fail_next_commit(failure);
    const auto answer = p.commit(Place::change(image, "new"));
    p.idle();
    return answer->status;
  };
  CHECK(tried(FakeStore::Failure::not_now) == Status::not_now);
  CHECK(tried(FakeStore::Failure::unknown_lost) == Status::unknown);
  CHECK(tried(FakeStore::Failure::fenced) == Status::fenced);
  CHECK_FALSE(p.store.state(kShard, "harry").has_value());
  CHECK(tried(FakeStore::Failure::unknown_written) == Status::unknown);
  CHECK(p.store.state(kShard, "harry") == "new");
  CHECK(p.store.commits() == 1);
}

TEST_CASE("a commit that was refused for now goes through when it is handed in again") {
  Place p;
  const auto commit = Place::change(p.claim(), "new");
  p.store.fail_next_commit(FakeStore::Failure::not_now);
  const auto first = p.commit(commit);
  p.idle();
  const auto second = p.commit(commit);
  p.idle();
  CHECK(first->status == Status::not_now);
  CHECK(second->status == Status::committed);
}

TEST_CASE("a held commit of a zombie is fenced when another has claimed meanwhile") {
  Place p;
  const auto image = p.claim();
  p.store.hold_commits(FakeStore::Hold::writes);
  const auto late = p.commit(Place::change(image, "zombie"));
  p.claim();
  CHECK(p.store.held_commits() == 1);
  p.store.release_commits();
  p.idle();
  CHECK(late->status == Status::fenced);
  CHECK_FALSE(p.store.state(kShard, "harry").has_value());
}

TEST_CASE("the SQL text fail names its unit, other SQL is recorded with its message") {
  Place p;
  auto commit = Place::change(p.claim(), "new");
  commit->units = {{"m1", {{"insert", {}}}}, {"m2", {{"fail", {}, "a.lua", 9}}}};
  const auto failed = p.commit(commit);
  p.idle();
  REQUIRE(failed->status == Status::sql_failed);
  REQUIRE(failed->failed.size() == 1);
  CHECK(failed->failed[0].first == 1);
  CHECK(failed->failed[0].second.line == 9);
  CHECK(p.store.sql().empty());
  commit->units.pop_back();
  const auto good = p.commit(commit);
  p.idle();
  CHECK(good->status == Status::committed);
  REQUIRE(p.store.sql().size() == 1);
  CHECK(p.store.sql()[0].message_id == "m1");
}

TEST_CASE("a restored backup has the old rows, and claims go on above the old epochs") {
  Place p;
  const auto before = p.claim();
  const auto first = p.commit(Place::change(before, "old"));
  p.idle();
  const auto backup = p.store.backup();
  REQUIRE(p.scheduler.advance(std::chrono::seconds(1)));
  const auto lost = p.claim();
  const auto second = p.commit(Place::change(lost, "new"));
  p.idle();
  CHECK(p.store.state(kShard, "harry") == "new");
  p.store.restore(backup);
  CHECK(p.store.state(kShard, "harry") == "old");
  REQUIRE(p.scheduler.advance(milliseconds(1)));
  CHECK(p.claim().epoch > lost.epoch);
}

TEST_CASE("where the log is part of the store, a backup has both") {
  Place p({.shares_store = true});
  p.append("old");
  const auto backup = p.store.backup();
  p.append("new");
  CHECK(p.written().size() == 2);
  p.store.restore(backup);
  CHECK(p.written() == std::vector<std::string>{"old"});
}

TEST_CASE("queries are answered by the function that a test sets") {
  Place p;
  p.store.on_query([](const std::string& plugin, const SqlStatement& statement) {
    return Result<SqlRows>(SqlRows{{"text"}, {{plugin + ": " + statement.text}}});
  });
  Answer<Result<SqlRows>> answer;
  p.store.query("owls", {"select 1", {}}, p.lane, answer.taker());
  p.idle();
  CHECK(answer->value().rows[0][0] == SqlValue{"owls: select 1"});
}

TEST_CASE("planned failures of claims and reads are met once") {
  Place p;
  p.store.fail_next_claim(make_error(Error::Code::corrupt, "torn"));
  Answer<Result<ports::ShardImage>> claimed;
  p.store.claim(kShard, p.lane, claimed.taker());
  p.store.fail_next_read(retryable_error(Error::Code::unavailable, "away"));
  Answer<Result<std::vector<ports::StateRow>>> first, second;
  p.store.load_states(kShard, {"a"}, p.lane, first.taker());
  p.store.load_states(kShard, {"a"}, p.lane, second.taker());
  p.idle();
  CHECK(claimed->error().code == Error::Code::corrupt);
  CHECK_FALSE(first->ok());
  CHECK(second->ok());
  CHECK(p.claim().epoch > 0);
}

// ---- recorders ----

TEST_CASE("a log that keeps a few records has the last of them, at their offsets") {
  ManualClock clock;
  FakeLog log(clock, {.keep = 2});
  const std::vector<ports::TopicSettings> topics{{.name = "t", .partitions = 1}};
  REQUIRE(log.ensure_topics(topics));
  for (const char* payload : {"a", "b", "c"}) {
    ports::Append record;
    record.topic = "t";
    record.payload = payload;
    REQUIRE_FALSE(log.append_now(std::vector<ports::Append>{record}));
  }
  const std::vector<Record> kept = log.records("t");
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].payload == "b");
  CHECK(kept[1].payload == "c");
  CHECK(kept[1].offset == 2);
}

TEST_CASE("recorders keep what they were told") {
  RecordingLogger logger;
  logger.log(ports::LogLevel::warn, "the owl is late", {{"key", "harry"}});
  logger.log(ports::LogLevel::debug, "the owl flies");
  REQUIRE(logger.find(ports::LogLevel::info, "owl").size() == 1);
  CHECK(logger.find(ports::LogLevel::info, "owl")[0].field("key") == "harry");
  CHECK(logger.lines().size() == 2);
  RecordingMetrics metrics;
  metrics.add("owls_total", 2, {{"plugin", "a"}});
  metrics.add("owls_total", 3, {{"plugin", "b"}});
  metrics.set("owls_waiting", 7);
  metrics.set("owls_waiting", 4);
  metrics.observe("owls_seconds", 0.5);
  CHECK(metrics.value("owls_total") == 5);
  CHECK(metrics.value("owls_total", {{"plugin", "b"}}) == 3);
  CHECK(metrics.value("owls_waiting") == 4);
  CHECK(metrics.observed("owls_seconds") == std::vector<double>{0.5});
}

TEST_CASE("seeded chance repeats with its seed") {
  SeededChance a(3), b(3), c(4);
  CHECK(a.bytes(16) == b.bytes(16));
  CHECK(a.bytes(16) != c.bytes(16));
  for (int i = 0; i < 100; ++i) {
    const double x = a.fraction();
    CHECK((x >= 0 && x < 1));
  }
}

}  // namespace
}  // namespace host::fakes
