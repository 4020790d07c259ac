// A shard's messages: dead letters, retries, keys, inbox, once, gaps, limits.
#include "tests/runtime/shard_fixture.h"

namespace host {
namespace {

using Lines = std::vector<std::string>;

ports::Step raises(const ports::Call&, const Answers&) { return fakes::raised("boom"); }

/// A handler that keeps waiting until the test lets it go on.
struct Gate {
  std::shared_ptr<bool> open = std::make_shared<bool>(false);
  Script::Handler handler(Script::Handler then = {}) const {
    return [open = open, then](const ports::Call& call, const auto& answers) {
      if (!*open) return fakes::wait_for({.id = 0, .what = ports::ReadEffect{"x"}});
      return then ? then(call, answers) : done();
    };
  }
};

std::string state(Outside& w, const std::string& key, PartitionNumber p = 0) {
  return w.store.state({"p", p}, key).value_or("(none)");
}
ports::Step append_state(const ports::Call& call, const Answers&) {
  return set_state(call.state->bytes.value_or("") + call.message->payload);
}

}  // namespace

TEST_CASE("after its last attempt a message is a dead letter with all fields", "[shard]") {
  Outside w;
  Script s;
  s.on("in", raises);
  Process p(w, s.revision());
  const std::string id = w.append("in", "k", "payload", {{"x", "y"}});
  w.pass(seconds(5));
  REQUIRE(s.ran->size() == 3);
  const auto dead = w.store.dead();
  REQUIRE(dead.size() == 1);
  REQUIRE(dead[0].id == id);
  REQUIRE(dead[0].plugin == "p");
  REQUIRE(dead[0].shard == 0);
  REQUIRE(dead[0].reason == "failed");
  REQUIRE(dead[0].error.message == "boom");
  REQUIRE(dead[0].revision == "r1");
  REQUIRE(dead[0].message.attempt == 3);
  REQUIRE(dead[0].message.payload == "payload");
  REQUIRE(dead[0].message.key == "k");
  REQUIRE(*find_header(dead[0].message.headers, "x") == "y");
  REQUIRE(w.store.pending_count({"p", 0}) == 0);
}

TEST_CASE("a message that stops its key blocks it until it is released", "[shard]") {
  Outside w;
  Script s;
  auto fails = std::make_shared<bool>(true);
  s.on("in", [fails](const ports::Call& call, const auto& answers) {
    return *fails && call.message->payload == "1" ? fakes::raised("no")
                                                  : append_state(call, answers);
  });
  s.subscription("in").retry.last = RetryRule::Last::stop;
  auto p = std::make_unique<Process>(w, s.revision());
  const std::string id = w.append("in", "k", "1");
  w.append("in", "k", "2");
  w.append("in", "other", "3");
  w.pass(seconds(10));
  REQUIRE(state(w, "other") == "3");
  REQUIRE(state(w, "k") == "(none)");
  REQUIRE(p->shard().stopped_messages().at(0).id == id);
  SECTION("released at once") {}
  SECTION("released after a restart") {
    p.reset();
    p = std::make_unique<Process>(w, s.revision());
    w.pass(seconds(10));
    REQUIRE(state(w, "k") == "(none)");
  }
  REQUIRE(p->shard().release("unknown").error().code == Error::Code::not_found);
  *fails = false;
  REQUIRE(p->shard().release(id).ok());
  w.pass(seconds(1));
  REQUIRE(state(w, "k") == "12");
  REQUIRE(p->status().pending == 0);
}

TEST_CASE("payloads that cannot be read, bad keys and unknown topics are dead at once", "[shard]") {
  Outside w;
  Script s;
  s.on("in", {});
  s.subscription("in").key_field = "id";
  s.inspect = [](const std::string&,
                 const std::string& payload) -> Result<ports::Engine::Inspected> {
    if (payload == "broken") return make_error(Error::Code::invalid, "no JSON");
    return ports::Engine::Inspected{payload, std::nullopt};
  };
  Process p(w, s.revision());
  w.append("in", "x", "broken");
  w.append("in", "x", std::string("a\0b", 3));
  w.settle();
  REQUIRE(s.ran->empty());
  std::map<std::string, int> reasons;
  for (const auto& letter : w.store.dead()) ++reasons[letter.reason];
  REQUIRE(reasons == std::map<std::string, int>{{"invalid", 1}, {"bad_key", 1}});
}

TEST_CASE("a message without key is handled, and blocks nobody", "[shard]") {
  Outside w;
  Script s;
  s.on("in", {});
  Process p(w, s.revision());
  w.append("in", std::nullopt, "1");
  w.append("in", std::nullopt, "2");
  w.settle();
  REQUIRE(*s.ran == Lines{"in - 1", "in - 2"});
}

TEST_CASE("a key of another shard goes through the inbox and stays the same message", "[shard]") {
  for (const bool shared : {true, false}) {
    Outside w(shared, 2);
    Script s;
    Message seen;
    s.on("in", [&seen](const ports::Call& call, const auto&) {
      seen = *call.message;
      return set_state("here");
    });
    s.subscription("in").key_field = "id";
    s.inspect = [](const std::string&, const std::string& payload) {
      return ports::Engine::Inspected{payload, std::nullopt};
    };
    std::string key = "a";
    while (partition_of(key, 2) != 1) key += "a";
    std::string other = "b";
    while (partition_of(other, 2) != 0) other += "b";
    Process p(w, s.revision());
    const Time sent = w.now();
    const std::string id = w.append("in", other, key, {{"x", "y"}});
    w.pass(seconds(3));
    REQUIRE(state(w, key, 1) == "here");
    REQUIRE(seen.id == id);
    REQUIRE(seen.topic == "in");
    REQUIRE(seen.key == key);
    REQUIRE(seen.time == sent);
    REQUIRE(*find_header(seen.headers, "x") == "y");
  }
}

TEST_CASE("a message in the inbox goes on where newer code takes another field as its key",
          "[shard]") {
  Outside w(false, 2);
  Script s;
  s.on("in", [](const ports::Call&, const auto&) { return set_state("here"); });
  s.subscription("in").key_field = "id";
  s.inspect = [](const std::string&, const std::string& payload) {
    return ports::Engine::Inspected{payload, std::nullopt};
  };
  std::string key = "a";
  while (partition_of(key, 2) != 1) key += "a";
  std::string before = "b";
  while (partition_of(before, 2) != 0) before += "b";
  Process p(w, s.revision());
  w.append("p.inbox", before, key, {{header::kTopic, "in"}});
  w.pass(seconds(3));
  REQUIRE(state(w, key, 1) == "here");
  REQUIRE(state(w, key, 0) == "(none)");
}

TEST_CASE("a message that there is no memory to look into waits, and is not dead", "[shard]") {
  Outside w;
  Script s;
  s.on("in", {});
  s.subscription("in").key_field = "id";
  auto memory = std::make_shared<bool>(false);
  s.inspect = [memory](const std::string&,
                       const std::string& payload) -> Result<ports::Engine::Inspected> {
    if (!*memory) return make_error(Error::Code::exhausted, "not enough memory");
    return ports::Engine::Inspected{payload, std::nullopt};
  };
  Process p(w, s.revision());
  w.append("in", "k", "1");
  w.append("in", "k", "2");
  w.pass(seconds(2));
  REQUIRE(s.ran->empty());
  REQUIRE(p.status().status.find("not enough memory") != std::string::npos);
  *memory = true;
  w.pass(seconds(1));
  REQUIRE(*s.ran == Lines{"in 1 1", "in 2 2"});
  REQUIRE(w.store.dead().empty());
  REQUIRE(p.status().status == "running");
}

TEST_CASE("what cannot be read is said in the status and logged once", "[shard]") {
  Outside w;
  Script s;
  s.on("in", append_state);
  Process p(w, s.revision());
  w.settle();
  std::string logged;
  SECTION("a state") {
    for (int i = 0; i < 3; ++i) {
      w.store.fail_next_read(make_error(Error::Code::corrupt, "a torn page"));
    }
    w.append("in", "k", "1");
    w.settle();
    REQUIRE(p.status().status == "waiting: a torn page");
    logged = "the store cannot be read";
  }
  SECTION("a topic that is gone") {
    Script other;
    other.on("in", append_state).on("gone", append_state);
    REQUIRE(
        w.log.ensure_topics(std::vector<ports::TopicSettings>{{.name = "gone", .partitions = 1}})
            .ok());
    p.publish(other.revision("r2"));
    w.settle();
    w.log.unassign("gone", 0);
    w.settle();
    REQUIRE(p.status().status == "waiting: partition was taken away");
    w.log.assign("gone", 0);
    w.append("in", "k", "1");
  }
  w.pass(seconds(2));
  REQUIRE(state(w, "k") == "1");
  REQUIRE(p.status().status == "running");
  if (!logged.empty()) REQUIRE(w.logger.find(ports::LogLevel::warn, logged).size() == 1);
}

TEST_CASE("a topic that newer code dropped before it was there is not read", "[shard]") {
  Outside w;
  Script one, both;
  one.on("in", {});
  both.on("in", {}).on("late", {});
  Process p(w, both.revision());
  w.pass(seconds(1));
  p.publish(one.revision("r2"));
  REQUIRE(w.log.ensure_topics(std::vector<ports::TopicSettings>{{.name = "late", .partitions = 1}})
              .ok());
  w.append("late", "k", "x");
  w.pass(seconds(2));
  REQUIRE(w.store.dead().empty());
  REQUIRE(p.status().status == "running");
}

namespace {

Script once_script() {
  Script s;
  s.on("in", append_state);
  s.subscription("in").once = Manifest::Once{"id", hours(1)};
  s.inspect = [](const std::string&, const std::string& payload) {
    return ports::Engine::Inspected{std::nullopt, payload};
  };
  return s;
}

}  // namespace

TEST_CASE("what once has seen is dropped: at once, later and after a restart", "[shard]") {
  Outside w;
  Script s = once_script();
  auto p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "a");
  w.append("in", "k", "a");
  w.settle();
  w.append("in", "k", "a");
  w.settle();
  REQUIRE(state(w, "k") == "a");
  p.reset();
  p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "a");
  w.append("in", "k", "b");
  w.settle();
  REQUIRE(state(w, "k") == "ab");
  REQUIRE(w.metrics.value("host_once_dropped_total") == 3);
}

TEST_CASE("once forgets after its time, also what was repeated meanwhile", "[shard]") {
  Outside w;
  Script s = once_script();
  Process p(w, s.revision());
  w.append("in", "k", "a");
  w.settle();
  w.append("in", "k", "a");
  w.pass(hours(2));
  w.append("in", "k", "a");
  w.settle();
  REQUIRE(state(w, "k") == "aa");
}

TEST_CASE("once counts what is pending as seen, also after a restart", "[shard]") {
  Outside w;
  Script s = once_script();
  auto down = std::make_shared<bool>(true);
  s.on("in", [down](const ports::Call& call, const Answers& answers) {
    return *down ? fakes::raised("away") : append_state(call, answers);
  });
  s.subscription("in").retry.attempts = 1000;
  auto p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "a");
  w.pass(milliseconds(50));
  REQUIRE(w.store.pending_count({"p", 0}) == 1);
  w.append("in", "k", "a");
  w.pass(milliseconds(50));
  p.reset();
  w.append("in", "k", "a");
  p = std::make_unique<Process>(w, s.revision());
  *down = false;
  w.pass(seconds(2));
  REQUIRE(state(w, "k") == "a");
}

TEST_CASE("an ask that may be repeated is handled once, an ordinary one as often as it comes",
          "[shard]") {
  Outside w;
  Script s;
  s.on("in", [](const ports::Call& call, const auto&) {
    UnitOfWork unit;
    unit.state = StateChange{call.state->bytes.value_or("") + call.message->payload};
    unit.reply = "reply " + call.message->payload;
    return fakes::done(std::move(unit));
  });
  const Headers once{{header::kAsk, "id1"}, {header::kAskOnce, "1"}};
  auto p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "a", once);
  w.append("in", "k", "a", once);
  w.settle();
  w.append("in", "k", "a", once);
  w.settle();
  p.reset();
  p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "a", once);
  w.append("in", "k", "b", {{header::kAsk, "id2"}});
  w.append("in", "k", "b", {{header::kAsk, "id2"}});
  w.settle();
  REQUIRE(state(w, "k") == "abb");
  REQUIRE(w.store.reply("id1") == "reply a");
  REQUIRE(w.metrics.value("host_once_dropped_total") == 3);
}

TEST_CASE("where a subscription has once, that says what a repeated ask is", "[shard]") {
  Outside w;
  Script s = once_script();
  Process p(w, s.revision());
  w.append("in", "k", "a", {{header::kAsk, "id1"}, {header::kAskOnce, "1"}});
  w.append("in", "k", "a", {{header::kAsk, "id2"}, {header::kAskOnce, "1"}});
  w.append("in", "k", "b", {{header::kAsk, "id1"}, {header::kAskOnce, "1"}});
  w.settle();
  REQUIRE(state(w, "k") == "ab");
}

TEST_CASE("a repeat whose key is unrolled under it is still dropped", "[shard]") {
  Outside w;
  Script s = once_script();
  s.on("in2", [](const ports::Call& call, const auto&) {
    UnitOfWork unit;
    if (call.message->attempt == 1) unit.sql.push_back({.text = "fail", .parameters = {}});
    unit.state = StateChange{call.state->bytes.value_or("") + call.message->payload};
    return fakes::done(std::move(unit));
  });
  Process p(w, s.revision());
  w.append("in", "k", "a");
  w.settle();
  w.append("in2", "k", "x");
  w.append("in", "k", "a");  // the store is asked, and behind it the key is unrolled
  w.append("in", "k", "b");
  w.pass(seconds(5));
  const std::string left = state(w, "k");
  REQUIRE(std::count(left.begin(), left.end(), 'a') == 1);
  REQUIRE(std::count(left.begin(), left.end(), 'b') == 1);
  REQUIRE(std::count(left.begin(), left.end(), 'x') == 1);
}

TEST_CASE("where a new topic begins is resolved once and kept over a restart", "[shard]") {
  Outside w;
  Script s;
  s.on("in", {});
  s.subscription("in").from_now = true;
  w.append("in", "k", "before");
  auto p = std::make_unique<Process>(w, s.revision());
  w.settle();
  p.reset();
  w.append("in", "k", "after");
  p = std::make_unique<Process>(w, s.revision());
  w.settle();
  REQUIRE(*s.ran == Lines{"in k after"});
}

TEST_CASE("messages lost by retention stop the input, and say so until the operator decides",
          "[shard]") {
  Outside w;
  Script s;
  s.on("in", {}).on("in2", {});
  w.append("in", "k", "1");
  w.append("in", "k", "2");
  {
    Process p(w, s.revision());
    w.settle();
  }
  s.ran->clear();
  w.append("in", "k", "3");
  w.append("in", "k", "4");
  w.log.truncate("in", 0, 3);
  SECTION("stop") {
    Process p(w, s.revision());
    w.append("in2", "k", "other");
    w.pass(seconds(5));
    REQUIRE(*s.ran == Lines{"in2 k other"});
    REQUIRE(p.status().status.find("gap in in") != std::string::npos);
  }
  SECTION("skip") {
    w.env.skip_gaps = true;
    Process p(w, s.revision());
    w.pass(seconds(5));
    REQUIRE(*s.ran == Lines{"in k 4"});
    REQUIRE(p.status().status == "running");
  }
}

TEST_CASE("a log that can read nothing for now is asked again, and nothing counts as lost",
          "[shard]") {
  Outside w;
  Script s;
  s.on("in", {});
  w.append("in", "k", "1");
  w.log.fail_next_fetch(retryable_error(Error::Code::exhausted, "the disk is full"));
  Process p(w, s.revision());
  w.pass(seconds(5));
  REQUIRE(*s.ran == Lines{"in k 1"});
  REQUIRE(w.metrics.value("host_log_gaps_total") == 0);
}

TEST_CASE(
    "an aborted transaction behind the last message is read past, and retention of it no loss",
    "[shard]") {
  Outside w;
  Script s;
  s.on("in", {});
  w.append("in", "k", "1");
  auto p = std::make_unique<Process>(w, s.revision());
  w.settle();
  w.log.add_gap("in", 0, 2);
  w.settle();
  REQUIRE(p->status().lag == 0);
  p.reset();
  w.log.truncate("in", 0, 3);
  p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "2");
  w.settle();
  REQUIRE(p->status().status == "running");
  REQUIRE(*s.ran == Lines{"in k 1", "in k 2"});
}

TEST_CASE("an every that was missed runs once, and its next time is kept", "[shard]") {
  Outside w(false, 2);
  Script s;
  s.every("one", seconds(10), false).every("each", seconds(10), true);
  auto p = std::make_unique<Process>(w, s.revision());
  w.pass(seconds(11));
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "one - ") == 1);
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "each - ") == 2);
  p.reset();
  s.ran->clear();
  w.pass(seconds(44));  // 55 s: due at 20, 30, 40, 50
  p = std::make_unique<Process>(w, s.revision());
  w.pass(milliseconds(100));
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "one - ") == 1);
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "each - ") == 2);
  w.pass(seconds(5));
  REQUIRE(std::count(s.ran->begin(), s.ran->end(), "one - ") == 2);
}

TEST_CASE("an every that ran before its first due was stored runs once for it", "[shard]") {
  Outside w;
  Script s;
  s.every("e", milliseconds(100), false);
  w.store.fail_next_commit(fakes::FakeStore::Failure::not_now);
  w.env.limits.retry_commit = milliseconds(150);
  Process p(w, s.revision());
  w.pass(milliseconds(199));
  REQUIRE(s.ran->size() == 1);
}

TEST_CASE("an every that breaks its engine leaves the others their turn", "[shard]") {
  Outside w;
  Script s;
  s.every("a", seconds(1), false,
          [](const ports::Call&, const Answers&) { return fakes::out_of_memory(); });
  for (const char* name : {"b", "c", "d"}) s.every(name, seconds(1), false);
  Process p(w, s.revision());
  w.pass(milliseconds(1500));
  REQUIRE(*s.ran == Lines{"a - ", "b - ", "c - ", "d - "});
}

TEST_CASE("order of a key holds over park, retry and restart", "[shard]") {
  Outside w;
  Script s;
  auto down = std::make_shared<bool>(true);
  s.on("in", [down](const ports::Call& call, const auto& answers) {
    if (*down && call.message->payload == "1") {
      ports::Step step;
      step.outcome = Outcome{.kind = Outcome::Kind::retry, .unit = {}};
      step.outcome->delay = milliseconds(300);
      return step;
    }
    return append_state(call, answers);
  });
  s.subscription("in").retry.attempts = 1000;
  auto p = std::make_unique<Process>(w, s.revision());
  for (const char* text : {"1", "2", "3"}) w.append("in", "k", text);
  w.pass(milliseconds(500));
  REQUIRE(w.store.pending_count({"p", 0}) == 3);
  p.reset();
  p = std::make_unique<Process>(w, s.revision());
  w.append("in", "k", "4");
  w.pass(milliseconds(500));
  *down = false;
  w.pass(seconds(1));
  REQUIRE(state(w, "k") == "1234");
  REQUIRE(w.store.pending_count({"p", 0}) == 0);
}

TEST_CASE("parked messages of two topics keep the order of their arrival over a restart",
          "[shard]") {
  Outside w;
  Script s;
  auto down = std::make_shared<bool>(true);
  const auto handler = [down](const ports::Call& call, const auto& answers) {
    return *down ? fakes::raised("away") : append_state(call, answers);
  };
  s.on("in", handler).on("in2", handler);
  for (auto* entry : {&s.subscription("in"), &s.subscription("in2")}) {
    entry->retry.last = RetryRule::Last::stop;
    entry->retry.attempts = 1000;
  }
  auto p = std::make_unique<Process>(w, s.revision());
  w.append("in2", "k", "1");
  w.settle();
  w.append("in", "k", "2");
  w.pass(milliseconds(50));
  REQUIRE(w.store.pending_count({"p", 0}) == 2);
  p.reset();
  *down = false;
  p = std::make_unique<Process>(w, s.revision());
  w.pass(seconds(1));
  REQUIRE(state(w, "k") == "12");
}

TEST_CASE("a pending limit makes the input wait, and it goes on when rows are done", "[shard]") {
  Outside w;
  Script s;
  auto down = std::make_shared<bool>(true);
  s.on("in", [down](const ports::Call& call, const auto& answers) {
    return *down ? fakes::raised("away") : append_state(call, answers);
  });
  s.subscription("in").retry.attempts = 100'000;
  w.env.limits.input_messages = 4;
  SECTION("of the shard") { w.env.limits.pending_a_shard = 3; }
  SECTION("of the key") { w.env.limits.pending_a_key = 3; }
  Process p(w, s.revision());
  for (int i = 0; i < 20; ++i) w.append("in", "k", std::string(1, char('a' + i)));
  w.pass(seconds(1));  // and does not spin meanwhile
  REQUIRE(w.store.pending_count({"p", 0}) == 3);
  REQUIRE(p.status().lag == 17);
  for (int i = 20; i < 25; ++i) w.append("in", "k", std::string(1, char('a' + i)));
  w.pass(seconds(1));
  REQUIRE(p.status().lag == 17);
  *down = false;
  w.pass(seconds(5));
  REQUIRE(state(w, "k") == "abcdefghijklmnopqrstuvwxy");
}

TEST_CASE("a full prefix above a key at its limit does not hold that key's rows back", "[shard]") {
  Outside w;
  Script s;
  auto down = std::make_shared<bool>(true);
  s.on("in", [down](const ports::Call& call, const auto& answers) {
    if (*down && call.message->key == "k") return fakes::raised("away");
    return append_state(call, answers);
  });
  s.subscription("in").retry.attempts = 100'000;
  w.env.limits.pending_a_key = 1;
  w.env.limits.batch_messages = 2;
  Process p(w, s.revision());
  w.append("in", "k", "1");
  w.append("in", "k", "2");
  for (int i = 0; i < 10; ++i) w.append("in", "o" + std::to_string(i), "x");
  w.pass(seconds(1));
  *down = false;
  w.pass(seconds(5));
  REQUIRE(state(w, "k") == "12");
  REQUIRE(state(w, "o9") == "x");
}

TEST_CASE("what the next commit waits for is not held back by what is finished behind it",
          "[shard]") {
  Outside w;
  Script s;
  s.on("in", append_state);
  w.env.limits.batch_messages = 2;
  Process p(w, s.revision());
  for (const char* key : {"a", "b", "c", "d", "e"}) w.append("in", key, "1");
  w.settle();
  // Its state must be read; those behind it have theirs in memory, and are more than have room.
  w.append("in", "new", "1");
  for (const char* key : {"a", "b", "c", "d", "e"}) w.append("in", key, "2");
  const Time before = w.now();
  w.settle();
  REQUIRE(w.now() == before);
  REQUIRE(state(w, "new") == "1");
  REQUIRE(state(w, "e") == "12");
  REQUIRE(p.status().unfinished == 0);
}

TEST_CASE("with a full outbox nothing is handled until the log acknowledges", "[shard]") {
  Outside w;
  Script s;
  s.on("in", [](const ports::Call&, const auto&) { return emit("out", "k", "x"); });
  w.env.limits.outbox_rows = 2;
  w.env.limits.batch_messages = 2;
  w.log.hold_appends(fakes::FakeLog::Hold::answers);
  Process p(w, s.revision());
  for (int i = 0; i < 10; ++i) w.append("in", "k" + std::to_string(i), "x");
  w.pass(seconds(1));
  REQUIRE(s.ran->size() < 10);
  w.log.release_appends();
  w.pass(seconds(1));
  REQUIRE(s.ran->size() == 10);
  REQUIRE(w.log.records("out").size() == 10);
}

TEST_CASE("a shard shows why the log does not take what it sends", "[shard]") {
  Outside w;
  Script s;
  s.on("in", [](const ports::Call&, const auto&) { return emit("out", "k", "x"); });
  w.log.delay_when([](const ports::Append& a) -> std::optional<Error> {
    if (a.topic != "out") return std::nullopt;
    return retryable_error(Error::Code::unavailable, "topic out may not be written");
  });
  Process p(w, s.revision());
  w.append("in", "a", "1");
  w.pass(seconds(1));
  REQUIRE(p.status().status == "waiting: topic out may not be written");
  w.log.delay_when(nullptr);
  w.pass(seconds(10));
  REQUIRE(p.status().status == "running");
  REQUIRE(w.log.records("out").size() == 1);
}

TEST_CASE("the watermark is committed soon, also when a commit was under way", "[shard]") {
  Outside w;
  Script s;
  s.on("in", [](const ports::Call&, const auto&) { return emit("out", "k", "x"); });
  Process p(w, s.revision());
  w.append("in", "a", "1");
  REQUIRE(w.scheduler.run_until([&] { return p.status().outbox == 1; }));
  w.store.hold_commits(fakes::FakeStore::Hold::answers);
  w.append("in", "b", "2");
  w.pass(milliseconds(50));
  w.store.release_commits();
  w.pass(seconds(2));
  p.kill();
  const std::size_t sent = w.log.records("out").size();
  Process again(w, s.revision());
  w.settle();
  REQUIRE(w.log.records("out").size() == sent);
}

TEST_CASE("another shard's waiting messages go on when the lane has room again", "[shard]") {
  Outside w(false, 2, milliseconds(3));
  Script s;
  Gate gate;
  s.on("in", gate.handler());
  s.admits = [](std::size_t running) { return running < 1; };
  std::string other = "b";
  while (partition_of(other, 2) == partition_of("a", 2)) other += "b";
  Process p(w, s.revision());
  w.append("in", "a", "1");
  REQUIRE(w.scheduler.run_until([&] { return s.ran->size() == 1; }));
  w.append("in", other, "2");
  w.pass(seconds(1));
  REQUIRE(s.ran->size() == 1);
  REQUIRE(w.store.pending_count({"p", partition_of(other, 2)}) == 1);
  *gate.open = true;
  w.pass(seconds(1));
  REQUIRE(s.ran->size() == 2);
}

}  // namespace host
