// A shard's commits, timers, SQL, stop and reload.
#include "tests/runtime/shard_fixture.h"

namespace host {
namespace {

using Lines = std::vector<std::string>;
using Failure = fakes::FakeStore::Failure;

std::string state(Outside& w, const std::string& key, PartitionNumber p = 0) {
  return w.store.state({"p", p}, key).value_or("(none)");
}
ports::Step append_state(const ports::Call& call, const Answers&) {
  return set_state(call.state->bytes.value_or("") + call.message->payload);
}
/// Sets the timer "NAME@MS" for the payload "NAME@MS", or cancels "-NAME".
ports::Step set_timers(const ports::Call& call, const Answers&) {
  const std::string& text = call.message->payload;
  if (text.starts_with("-")) return timers({TimerCancel{text.substr(1)}});
  const std::size_t at = text.find('@');
  const std::string name = text.substr(0, at);
  return timers(
      {TimerSet{text, name, call.wall_clock + milliseconds(std::stoi(text.substr(at + 1))), text}});
}
ports::Step forget(const ports::Call& call, const Answers&) {
  UnitOfWork unit;
  unit.state = StateChange{std::nullopt, call.wall_clock + seconds(10)};
  return fakes::done(std::move(unit));
}
ports::Step sql(const ports::Call& call, const Answers&) {
  UnitOfWork unit;
  const bool bad = call.message->payload == "bad" && call.message->attempt == 1;
  unit.sql.push_back({.text = bad ? "fail" : "ok " + call.message->payload, .parameters = {}});
  unit.state = StateChange{call.state->bytes.value_or("") + call.message->payload + ";"};
  return fakes::done(std::move(unit));
}

}  // namespace

TEST_CASE("timers run in their order, also those beyond what memory holds", "[shard]") {
  Outside w;
  w.env.limits.timers_in_memory = 2;
  Script s;
  s.on("in", set_timers).timer("t");
  Process p(w, s.revision());
  for (int ms : {900, 100, 700, 300, 500, 200, 800}) {
    w.append("in", "k", "t@" + std::to_string(ms));
  }
  w.pass(milliseconds(10));
  s.ran->clear();
  w.pass(seconds(2));
  REQUIRE(*s.ran == Lines{"t k t@100", "t k t@200", "t k t@300", "t k t@500", "t k t@700",
                          "t k t@800", "t k t@900"});
  REQUIRE(w.store.timer_count({"p", 0}) == 0);
}

TEST_CASE("a cancelled timer never runs: far away, near, by id or by name", "[shard]") {
  Outside w;
  w.env.limits.timers_in_memory = 1;
  Script s;
  s.on("in", set_timers).timer("a").timer("b");
  Process p(w, s.revision());
  for (const char* text : {"a@100", "a@200", "a@5000", "b@150", "b@6000"}) {
    w.append("in", "k", text);
  }
  w.append("in", "other", "a@300");
  w.pass(milliseconds(10));
  s.ran->clear();
  w.append("in", "k", "-a");
  w.append("in", "k", "-b@6000");
  w.pass(seconds(10));
  REQUIRE(*s.ran == Lines{"in k -a", "in k -b@6000", "b k b@150", "a other a@300"});
}

TEST_CASE("a timer that is due is cancelled by a unit whose commit is in flight", "[shard]") {
  Outside w;
  Script s;
  s.on("in", set_timers).timer("t");
  Process p(w, s.revision());
  w.append("in", "k", "t@100");
  w.pass(milliseconds(50));
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  w.append("in", "k", "-t");
  w.pass(milliseconds(100));
  w.store.release_commits();
  w.pass(seconds(1));
  REQUIRE(*s.ran == Lines{"in k t@100", "in k -t"});
  REQUIRE(w.store.timer_count({"p", 0}) == 0);
}

TEST_CASE("due timers that cannot start yet stay where they are", "[shard]") {
  Outside w(false, 1, milliseconds(3));
  w.env.limits.timers_in_memory = 4;
  auto open = std::make_shared<bool>(false);
  Script s;
  s.on("in", set_timers).timer("t", [open](const ports::Call&, const Answers&) {
    return *open ? done() : query();
  });
  s.admits = [](std::size_t running) { return running < 1; };
  Process p(w, s.revision());
  for (int i = 0; i < 40; ++i) {
    w.append("in", "k" + std::to_string(i), "t@" + std::to_string(2000 + i));
  }
  w.pass(milliseconds(1500));
  REQUIRE(w.store.timer_count({"p", 0}) == 40);
  s.ran->clear();
  w.pass(seconds(2));
  REQUIRE(s.ran->size() == 1);
  REQUIRE(p.status().timers > 0);
  *open = true;
  w.pass(seconds(5));
  REQUIRE(s.ran->size() == 40);
  REQUIRE(w.store.timer_count({"p", 0}) == 0);
}

TEST_CASE("a due timer whose cancelling unit fails in SQL runs after all", "[shard]") {
  Outside w;
  Script s;
  s.on("in", set_timers).timer("t");
  s.on("in2", [](const ports::Call& call, const Answers&) {
    UnitOfWork unit;
    if (call.message->attempt == 1) {
      unit.timers.push_back(TimerCancel{"t"});
      unit.sql.push_back({.text = "fail", .parameters = {}});
    }
    return fakes::done(std::move(unit));
  });
  Process p(w, s.revision());
  w.append("in", "k", "t@100");
  w.pass(milliseconds(50));
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  w.append("in2", "k", "x");
  w.pass(milliseconds(100));
  w.store.release_commits();
  w.pass(seconds(2));
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "t k t@100") == 1);
}

TEST_CASE("forgetting drops late messages and the timers set before, and keeps later ones",
          "[shard]") {
  Outside w;
  Script s;
  s.on("in", set_timers).on("in2", forget).timer("t");
  Process p(w, s.revision());
  w.append("in", "k", "t@100");
  w.append("in", "k", "t@30000");
  w.settle();
  w.append("in2", "k", "");
  w.settle();
  REQUIRE(w.store.timer_count({"p", 0}) == 0);
  s.ran->clear();
  w.append("in", "k", "t@50");
  w.pass(seconds(1));
  REQUIRE(s.ran->empty());
  REQUIRE(w.metrics.value("host_late_dropped_total") == 1);
  w.pass(seconds(10));
  w.append("in", "k", "t@50");
  w.pass(seconds(60));
  REQUIRE(*s.ran == Lines{"in k t@50", "t k t@50"});
}

TEST_CASE("a query waits for the shard's earlier SQL, and that for no parking time", "[shard]") {
  Outside w;
  Script s;
  s.on("in", sql);
  std::size_t seen = 0;
  s.on("in2", [&](const ports::Call&, const Answers& answers) {
    if (answers.empty()) return query();
    seen = w.store.sql().size();
    return done();
  });
  Process p(w, s.revision());
  w.append("in2", "q", "");
  w.append("in", "k", "a");
  w.append("in2", "k", "");
  w.append("in", "j", "b");
  w.append("in2", "j", "");
  w.settle();
  REQUIRE(seen == 2);
  REQUIRE(p.status().unfinished == 0);
}

TEST_CASE("SQL that fails takes back later units of its key only, and they run again", "[shard]") {
  Outside w;
  Script s;
  s.on("in", sql);
  Process p(w, s.revision());
  for (const char* text : {"1", "bad", "3"}) w.append("in", "k", text);
  w.append("in", "other", "4");
  w.settle();
  REQUIRE(state(w, "other") == "4;");
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "in other 4") == 1);
  w.pass(seconds(5));
  REQUIRE(state(w, "k") == "1;bad;3;");
  REQUIRE(w.store.sql().size() == 4);
  REQUIRE(w.store.pending_count({"p", 0}) == 0);
}

TEST_CASE("what was in a commit that its SQL broke is whole in the next one", "[shard]") {
  Outside w;
  Script s;
  s.on("in", [](const ports::Call& call, const Answers& answers) {
    ports::Step step = sql(call, answers);
    step.outcome->unit.emits.push_back(
        {.topic = "out", .key = "k", .payload = call.message->payload, .headers = {}});
    return step;
  });
  Process p(w, s.revision());
  for (const char* text : {"1", "2", "bad"}) w.append("in", "k", text);
  w.append("in", "other", "4");
  w.settle();
  REQUIRE(state(w, "k") == "1;2;");
  REQUIRE(state(w, "other") == "4;");
  Lines sent;
  for (const Record& record : w.log.records("out")) sent.push_back(record.payload);
  REQUIRE(sent == Lines{"1", "2", "4"});
}

TEST_CASE("a state that left memory while its handler waited is not lost with its SQL", "[shard]") {
  Outside w(false, 1, milliseconds(3));
  w.env.limits.states_in_memory = 1;
  Script s;
  s.on("in2", append_state);
  s.on("in", [](const ports::Call& call, const Answers& answers) {
    if (answers.empty()) return query();
    return sql(call, answers);
  });
  Process p(w, s.revision());
  w.append("in2", "k", "kept;");
  w.pass(seconds(1));
  w.append("in", "k", "bad");
  for (int i = 0; i < 5; ++i) w.append("in2", "o" + std::to_string(i), "x");
  w.append("in2", "k", "next;");
  w.pass(seconds(5));
  REQUIRE(state(w, "k") == "kept;bad;next;");
}

TEST_CASE("a commit that the store cannot take now is repeated with the same content", "[shard]") {
  Outside w;
  Script s;
  s.on("in", append_state);
  Process p(w, s.revision());
  w.settle();
  for (int i = 0; i < 3; ++i) w.store.fail_next_commit(Failure::not_now);
  w.append("in", "k", "1");
  w.settle();
  REQUIRE(p.status().status.find("waiting") == 0);
  w.append("in", "k", "2");
  w.pass(seconds(2));
  REQUIRE(state(w, "k") == "12");
  REQUIRE(*s.ran == Lines{"in k 1", "in k 2"});
  REQUIRE(p.status().status == "running");
}

TEST_CASE("an unknown outcome claims anew and doubles nothing", "[shard]") {
  const Failure failure = GENERATE(Failure::unknown_written, Failure::unknown_lost);
  const bool shared = GENERATE(true, false);
  Outside w(shared);
  Script s;
  s.on("in", [](const ports::Call& call, const Answers&) {
    UnitOfWork unit;
    unit.state = StateChange{call.state->bytes.value_or("") + call.message->payload};
    unit.emits.push_back({.topic = "out", .key = "k", .payload = "x", .headers = {}});
    return fakes::done(std::move(unit));
  });
  Process p(w, s.revision());
  w.settle();
  w.store.fail_next_commit(failure);
  w.append("in", "k", "1");
  w.append("in", "k", "2");
  w.pass(seconds(5));
  REQUIRE(state(w, "k") == "12");
  REQUIRE(w.log.records("out").size() == 2);
}

TEST_CASE("a shard that another took stops writing, and claims anew", "[shard]") {
  Outside w;
  Script s;
  s.on("in", append_state);
  Process p(w, s.revision());
  w.settle();
  w.store.fail_next_commit(Failure::fenced);
  w.append("in", "k", "1");
  w.settle();
  REQUIRE(p.status().status.find("claiming") == 0);
  REQUIRE(w.metrics.value("host_fences_total") == 1);
  w.pass(seconds(2));
  REQUIRE(state(w, "k") == "1");
}

TEST_CASE("a shard stops: with nothing, twice, while busy, and by its deadline", "[shard]") {
  Outside w(false, 1, milliseconds(2));
  Script s;
  auto open = std::make_shared<bool>(false);
  s.on("in", [open](const ports::Call& call, const Answers& answers) {
    if (!*open) return query();
    return append_state(call, answers);
  });
  Process p(w, s.revision());
  w.pass(milliseconds(100));
  int stopped = 0;
  const auto count = [&] { ++stopped; };
  SECTION("with nothing to do") {
    p.shard().stop(w.now() + seconds(5), count);
    w.pass(milliseconds(50));
    REQUIRE(stopped == 1);
    p.shard().stop(w.now() + seconds(5), count);
    w.pass(milliseconds(50));
    REQUIRE(stopped == 2);
  }
  SECTION("while a handler waits, which ends in time") {
    w.append("in", "k", "1");
    w.pass(milliseconds(50));
    p.shard().stop(w.now() + seconds(5), [] { FAIL("the second call replaced it"); });
    p.shard().stop(w.now() + seconds(5), count);
    w.pass(milliseconds(500));
    REQUIRE(stopped == 0);
    *open = true;
    w.pass(milliseconds(500));
    REQUIRE(stopped == 1);
    REQUIRE(state(w, "k") == "1");
  }
  SECTION("by its deadline, and what ran runs again") {
    w.append("in", "k", "1");
    w.pass(milliseconds(50));
    p.shard().stop(w.now() + seconds(1), count);
    w.pass(seconds(2));
    REQUIRE(stopped == 1);
    p.kill();
    *open = true;
    Process again(w, s.revision());
    w.pass(seconds(1));
    REQUIRE(state(w, "k") == "1");
  }
  SECTION("while it drops the code that its last handler waits in") {
    w.append("in", "k", "1");
    w.pass(milliseconds(50));
    p.publish(s.revision("r2"));
    p.shard().stop(w.now() + hours(1), count);
    p.code->drop_previous();
    w.pass(seconds(1));
    REQUIRE(stopped == 1);
  }
}

TEST_CASE("new code adds and removes topics, and takes a removed one up again", "[shard]") {
  Outside w;
  Script one, both;
  one.on("in", append_state);
  both.ran = one.ran;
  both.on("in", append_state).on("in2", append_state);
  Process p(w, one.revision());
  w.append("in2", "k", "a");
  w.settle();
  REQUIRE(state(w, "k") == "(none)");
  p.publish(both.revision("r2"));
  w.settle();
  REQUIRE(state(w, "k") == "a");
  p.publish(one.revision("r3"));
  w.append("in2", "k", "b");
  w.settle();
  REQUIRE(state(w, "k") == "a");
  p.publish(both.revision("r4"));
  w.settle();
  REQUIRE(state(w, "k") == "ab");
}

TEST_CASE("a waiting handler goes on in the old code and its state has the old version",
          "[shard]") {
  Outside w(false, 1, milliseconds(2));
  Script s;
  auto open = std::make_shared<bool>(false);
  std::vector<int> versions;
  const auto gated = [open](const ports::Call& call, const Answers& answers) {
    if (!*open) return query();
    return append_state(call, answers);
  };
  s.on("in", gated);
  Process p(w, s.revision("r1"));
  w.append("in", "k", "1");
  w.pass(milliseconds(100));
  Script newer;
  newer.ran = s.ran;
  newer.manifest.state_version = 2;
  newer.on("in", [&versions](const ports::Call& call, const Answers& answers) {
    versions.push_back(call.state->version);
    return append_state(call, answers);
  });
  p.publish(newer.revision("r2"));
  SECTION("until it ends") {
    w.append("in", "k", "2");
    *open = true;
    w.pass(seconds(1));
    REQUIRE(state(w, "k") == "12");
    REQUIRE(versions == std::vector<int>{1});
  }
  SECTION("until that code is dropped: it runs again in the new one") {
    w.pass(milliseconds(100));
    p.code->drop_previous();
    w.pass(seconds(1));
    REQUIRE(state(w, "k") == "1");
    REQUIRE(*s.ran == Lines{"in k 1", "in k 1"});
    REQUIRE(versions.size() == 1);
  }
}

TEST_CASE("a dead letter names the code that its message ran on", "[shard]") {
  Outside w(false, 1, milliseconds(2));
  Script s;
  auto open = std::make_shared<bool>(false);
  s.on("in", [open](const ports::Call&, const Answers&) {
    return *open ? fakes::raised("boom") : query();
  });
  s.subscription("in").retry.attempts = 1;
  Process p(w, s.revision("r1"));
  w.append("in", "k", "1");
  w.pass(milliseconds(100));
  p.publish(s.revision("r2"));
  *open = true;
  w.pass(seconds(1));
  REQUIRE(w.store.dead().at(0).revision == "r1");
}

TEST_CASE("after an engine broke its messages run alone, and only the guilty one fails",
          "[shard]") {
  Outside w(false, 1, milliseconds(3));
  Script s;
  auto together = std::make_shared<int>(0);
  auto most = std::make_shared<int>(0);
  auto broken = std::make_shared<int>(0);
  s.on("in", [=](const ports::Call& call, const Answers& answers) {
    if (answers.empty()) {
      *most = std::max(*most, ++*together);
      return query();
    }
    --*together;
    if (call.message->payload == "guilty") {
      ++*broken;
      *together = 0;
      *most = 0;
      return fakes::out_of_memory();
    }
    return append_state(call, answers);
  });
  s.subscription("in").retry.attempts = 1;
  Process p(w, s.revision());
  w.append("in", "g", "guilty");
  for (int i = 0; i < 5; ++i) w.append("in", "k" + std::to_string(i), "x");
  w.pass(seconds(5));
  REQUIRE(w.store.dead().size() == 1);
  REQUIRE(w.store.dead()[0].message.payload == "guilty");
  for (int i = 0; i < 5; ++i) REQUIRE(state(w, "k" + std::to_string(i)) == "x");
  REQUIRE(*broken >= 2);
  REQUIRE(p.code->running() == 0);
}

TEST_CASE("code that does not load any more halts its shard until there is new code", "[shard]") {
  Outside w;
  Script s;
  auto loads = std::make_shared<bool>(true);
  s.loads = [loads] { return *loads; };
  s.on("in", [](const ports::Call&, const Answers&) { return fakes::out_of_memory(); });
  Process p(w, s.revision());
  w.settle();
  *loads = false;
  for (int i = 0; i < 3; ++i) w.append("in", "k" + std::to_string(i), "x");
  w.settle();
  REQUIRE(p.status().status.find("does not load") != std::string::npos);
  Script good;
  good.on("in", append_state);
  p.publish(good.revision("r2"));
  w.pass(seconds(1));
  REQUIRE(state(w, "k2") == "x");
}

TEST_CASE("an older revision cannot take states of a newer one, and a newer one can", "[shard]") {
  Outside w;
  Script s;
  s.on("in", append_state);
  s.manifest.state_version = 2;
  {
    Process p(w, s.revision());
    w.append("in", "k", "1");
    w.settle();
  }
  Script old;
  old.on("in", append_state);
  Process p(w, old.revision());
  w.append("in", "k", "2");
  w.settle();
  REQUIRE(p.status().status.find("stopped") == 0);
  p.publish(s.revision("r2"));
  w.settle();
  REQUIRE(state(w, "k") == "12");
}

}  // namespace host
