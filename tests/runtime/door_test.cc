#include "host/runtime/door.h"

#include <set>

#include "tests/runtime/shard_fixture.h"

namespace host::runtime {
namespace {

using Failure = fakes::FakeStore::Failure;

struct World : Outside {
  World() {
    door.start();
    settle();
  }
  void send(int n, std::optional<ports::KeptAnswer> answer = {}) {
    std::vector<Emit> emits;
    for (int i = 0; i < n; ++i) {
      emits.push_back({.topic = "out", .key = "k", .payload = std::to_string(i), .headers = {}});
    }
    door.send(std::move(emits), {{"correlation-id", "c"}}, std::move(answer),
              [this](Result<void> r) { answers.push_back(r ? "ok" : to_string(r.error().code)); });
  }
  std::size_t sent() { return log.records("out").size(); }

  fakes::ManualExecutor lane{scheduler};
  Door door{{"p", kFirstDoor}, env, lane};
  std::vector<std::string> answers;
};
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("several messages are sent in one commit, with ids and headers", "[door]") {
  World w;
  w.send(3);
  w.send(2);
  REQUIRE(w.answers.empty());
  w.settle();
  REQUIRE(w.answers == Lines{"ok", "ok"});
  REQUIRE(w.store.commits() == 1);
  REQUIRE(w.sent() == 5);
  const Record record = w.log.records("out").front();
  REQUIRE(find_header(record.headers, header::kId)->starts_with("p/1000000/"));
  REQUIRE(*find_header(record.headers, "correlation-id") == "c");
  REQUIRE(find_header(record.headers, header::kOrigin) != nullptr);
}

TEST_CASE("of requests in one commit only the one that was answered before is refused", "[door]") {
  World w;
  const auto answer = [&](const char* scope) {
    return ports::KeptAnswer{
        .scope = scope, .request = {}, .response = {}, .whole = true, .until = w.now() + hours(1)};
  };
  w.send(1, answer("a"));
  w.settle();
  w.send(2);
  w.send(1, answer("b"));
  w.send(1, answer("a"));
  w.send(0, answer("c"));
  w.settle();
  REQUIRE(w.answers == Lines{"ok", "conflict", "ok", "ok", "ok"});
  REQUIRE(w.sent() == 4);
  w.send(1);
  w.settle();
  REQUIRE(w.sent() == 5);
  std::set<std::string> ids;
  for (const Record& record : w.log.records("out")) {
    REQUIRE(ids.insert(*find_header(record.headers, header::kId)).second);
  }
}

TEST_CASE("a store that cannot write now is told, and the next request is tried", "[door]") {
  World w;
  w.store.fail_next_commit(Failure::not_now);
  w.send(2);
  w.settle();
  REQUIRE(w.answers == Lines{"unavailable"});
  w.send(2);
  w.pass(seconds(1));
  REQUIRE(w.answers == Lines{"unavailable", "ok"});
  REQUIRE(w.sent() == 2);
}

TEST_CASE("an unknown outcome is said to be unknown, and is all or nothing", "[door]") {
  World w;
  const Failure failure = GENERATE(Failure::unknown_written, Failure::unknown_lost);
  w.store.fail_next_commit(failure);
  w.send(3);
  w.pass(seconds(3));
  REQUIRE(w.answers == Lines{"timeout"});
  REQUIRE(w.sent() == (failure == Failure::unknown_written ? 3 : 0));
  w.send(1);
  w.settle();
  REQUIRE(w.answers.back() == "ok");
}

TEST_CASE("a door that was taken has sent nothing, and is claimed anew", "[door]") {
  World w;
  w.store.fail_next_commit(Failure::fenced);
  w.send(3);
  w.pass(seconds(3));
  REQUIRE(w.answers == Lines{"unavailable"});
  REQUIRE(w.sent() == 0);
  w.send(1);
  w.settle();
  REQUIRE(w.answers.back() == "ok");
}

TEST_CASE("who waits while the door cannot be claimed is told so", "[door]") {
  World w;
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  w.send(1);
  w.settle();
  w.send(2);
  w.store.fail_next_claim(retryable_error(Error::Code::unavailable, "away"));
  w.store.fail_next_claim(retryable_error(Error::Code::unavailable, "away"));
  Door other({"p", kFirstDoor}, w.env, w.lane);
  other.start();
  w.settle();  // its claim failed; the first door's commit still waits
  w.store.fail_next_commit(Failure::fenced);
  w.store.release_commits();
  w.pass(seconds(5));
  REQUIRE(w.answers.size() == 2);
}

TEST_CASE("what waits for the commit before it is bounded in bytes", "[door]") {
  World w;
  w.env.limits.outbox_bytes = 2'500;
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  w.send(1);
  w.settle();
  for (int i = 0; i < 3; ++i) w.send(5);
  w.settle();
  REQUIRE(w.answers == Lines{"unavailable"});
  w.store.release_commits();
  w.settle();
  REQUIRE(w.answers == Lines{"unavailable", "ok", "ok", "ok"});
  w.send(5);
  w.settle();
  REQUIRE(w.answers.back() == "ok");
  REQUIRE(w.sent() == 16);
}

TEST_CASE("a message that the log refuses becomes one dead letter, also when the store is away",
          "[door]") {
  World w;
  w.log.refuse_when([](const ports::Append&) { return make_error(Error::Code::invalid, "no"); });
  w.send(2);
  REQUIRE(w.scheduler.run_until([&] { return w.answers.size() == 1; }));
  for (int i = 0; i < 3; ++i) w.store.fail_next_commit(Failure::not_now);
  w.settle();  // and does not spin
  w.pass(seconds(2));
  REQUIRE(w.store.dead().size() == 2);
  REQUIRE(w.store.dead()[0].reason == "refused");
}

}  // namespace host::runtime
