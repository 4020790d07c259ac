#pragma once

// Pending rows, timers, what was seen once, marks, replies. Included by store_contract.h.

#include "tests/contract/store_support.h"

namespace host::contract {

TEMPLATE_LIST_TEST_CASE("a pending row comes back whole, in the image without its bytes", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ports::PendingRow row{7, message("m/1/2-3", "harry", binary(kLargest)), {}, true, "it broke"};
  row.due = from_micros(1'800'000'000'654'321);
  ports::PendingRow bare{8, message("t1", std::nullopt, ""), {}, false, ""};
  bare.message.kind = Message::Kind::timer;
  bare.message.headers.clear();
  ShardCommit commit = s.next();
  commit.pending_put = {row, bare};
  s.commit_ok(std::move(commit));
  s.reopen();
  s.own();
  REQUIRE(s.image.pending.size() == 2);
  const ports::PendingRow& head = s.image.pending[0];
  CHECK(head.id == 7);
  CHECK(head.message.id == "m/1/2-3");
  CHECK(head.message.key == "harry");
  CHECK(head.message.topic == "letters");
  CHECK(head.message.attempt == 3);
  CHECK(head.message.payload.empty());
  CHECK(head.message.headers.empty());
  CHECK(head.due == row.due);
  CHECK(head.stopped);
  CHECK(s.image.pending[1].message.key == std::nullopt);
  CHECK(s.image.pending[1].message.kind == Message::Kind::timer);
  const auto whole = s.pending({8, 7});
  REQUIRE(whole.size() == 2);
  same_message(whole[0].message, row.message);
  CHECK(whole[0].due == row.due);
  CHECK(whole[0].stopped);
  CHECK(whole[0].last_error == "it broke");
  same_message(whole[1].message, bare.message);
  CHECK_FALSE(whole[1].due.has_value());
  CHECK_FALSE(whole[1].stopped);
}

TEMPLATE_LIST_TEST_CASE("pending rows are read by id, in order; those gone are left out", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  for (const std::int64_t id : std::vector<std::int64_t>{300, 2, 10, 100'000'000'000}) {
    commit.pending_put.push_back({id, message("m" + std::to_string(id), "k", "p"), {}, false, ""});
  }
  s.commit_ok(std::move(commit));
  commit = s.next();
  commit.pending_remove = {10, 12345};
  s.commit_ok(std::move(commit));
  std::vector<std::int64_t> ids;
  for (const auto& row : s.claim().pending) ids.push_back(row.id);
  CHECK(ids == std::vector<std::int64_t>{2, 300, 100'000'000'000});
  std::vector<std::int64_t> loaded;
  for (const auto& row : s.pending({100'000'000'000, 10, 2, 77})) loaded.push_back(row.id);
  CHECK(loaded == std::vector<std::int64_t>{2, 100'000'000'000});
}

TEMPLATE_LIST_TEST_CASE("an update of a pending row keeps the bytes it does not carry", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const Message original = message("m1", "harry", "the payload");
  ShardCommit commit = s.next();
  commit.pending_put = {{1, original, s.at(10), false, ""}};
  s.commit_ok(std::move(commit));
  s.own();  // the image's rows have no payload and no headers
  ports::PendingRow head = s.image.pending.at(0);
  head.message.attempt = 4;
  head.due = s.at(20);
  head.stopped = true;
  head.last_error = "again";
  commit = s.next();
  commit.pending_put = {head};
  s.commit_ok(std::move(commit));
  const auto rows = s.pending({1});
  REQUIRE(rows.size() == 1);
  Message want = original;
  want.attempt = 4;
  same_message(rows[0].message, want);
  CHECK(rows[0].due == s.at(20));
  CHECK(rows[0].stopped);
  CHECK(rows[0].last_error == "again");
  head.due = std::nullopt;
  head.stopped = false;
  commit = s.next();
  commit.pending_put = {head};
  s.commit_ok(std::move(commit));
  CHECK_FALSE(s.pending({1}).at(0).due.has_value());
  CHECK_FALSE(s.pending({1}).at(0).stopped);
}

TEMPLATE_LIST_TEST_CASE("timers come back whole, by due time and id, page by page", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  std::vector<std::pair<Time, std::string>> want;
  for (int i = 0; i < 30; ++i) {
    const std::string id = "t" + std::to_string(i * 7 % 30);
    want.push_back({s.at(i % 4) + Duration{i % 3}, id});
    TimerSet set = timer(id, "wake", want.back().first, binary(100, 3));
    set.headers = {{"correlation-id", "c" + id}, {"empty", ""}};
    commit.timers.push_back({"key" + std::to_string(i % 5), std::move(set)});
  }
  s.commit_ok(std::move(commit));
  std::sort(want.begin(), want.end());
  s.reopen();
  for (const std::size_t limit : {1U, 4U, 30U, 100U}) {
    std::vector<std::pair<Time, std::string>> got;
    for (;;) {
      const auto rows = got.empty() ? s.timers(Time::min(), "", limit)
                                    : s.timers(got.back().first, got.back().second, limit);
      CHECK(rows.size() <= limit);
      for (const auto& row : rows) {
        got.push_back({row.due, row.id});
        CHECK(row.name == "wake");
        CHECK(row.payload == binary(100, 3));
        CHECK(row.headers == Headers{{"correlation-id", "c" + row.id}, {"empty", ""}});
        CHECK(row.key.substr(0, 3) == "key");
      }
      if (rows.empty() || got.size() > want.size()) break;
    }
    CHECK(got == want);
  }
}

TEMPLATE_LIST_TEST_CASE("a timer is cancelled by its id or by its name, of its key only", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.timers = {{"harry", timer("h1", "wake", s.at(1))},
                   {"harry", timer("h2", "wake", s.at(2))},
                   {"harry", timer("h3", "nap", s.at(3))},
                   {"ron", timer("r1", "wake", s.at(4))},
                   {"ron", timer("r2", "nap", s.at(5))}};
  s.commit_ok(std::move(commit));
  commit = s.next();
  commit.timers = {{"harry", TimerCancel{"wake"}},
                   {"ron", TimerCancel{"r2"}},
                   {"ron", TimerCancel{"h3"}},
                   {"ron", TimerCancel{"nothing"}}};
  s.commit_ok(std::move(commit));
  CHECK(s.timer_ids() == std::vector<std::string>{"h3", "r1"});
}

TEMPLATE_LIST_TEST_CASE("timer changes of one commit are carried out in order", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.timers = {{"harry", timer("a", "wake", s.at(1))},
                   {"harry", TimerCancel{"wake"}},
                   {"harry", timer("b", "wake", s.at(2))},
                   {"harry", timer("c", "nap", s.at(3))},
                   {"harry", TimerCancel{"c"}},
                   {"harry", timer("b", "wake", s.at(9), "new")}};
  s.commit_ok(std::move(commit));
  const auto rows = s.timers();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].id == "b");
  CHECK(rows[0].due == s.at(9));
  CHECK(rows[0].payload == "new");
}

TEMPLATE_LIST_TEST_CASE("a timer that fired is removed by its commit", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.timers = {{"harry", timer("a", "wake", s.at(1))}, {"ron", timer("b", "wake", s.at(2))}};
  s.commit_ok(std::move(commit));
  commit = s.next();
  commit.timers_fired = {"a", "unknown"};
  commit.timers = {{"harry", timer("c", "wake", s.at(3))}};
  s.commit_ok(std::move(commit));
  CHECK(s.timer_ids() == std::vector<std::string>{"b", "c"});
}

TEMPLATE_LIST_TEST_CASE("forgetting a key ends its earlier timers, not those of the same commit",
                        "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.timers = {{"harry", timer("a", "wake", s.at(1))},
                   {"harry", timer("b", "nap", s.at(2))},
                   {"ron", timer("c", "wake", s.at(3))}};
  s.commit_ok(std::move(commit));
  commit = s.next();
  commit.forget_timers = {"harry"};
  commit.timers = {{"harry", timer("d", "wake", s.at(4))}};
  s.commit_ok(std::move(commit));
  CHECK(s.timer_ids() == std::vector<std::string>{"c", "d"});
}

TEMPLATE_LIST_TEST_CASE("what was seen once is seen until its time is over", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const std::string a("letters\0a", 9), b("letters\0b", 9), c("bets\0a", 6);
  ShardCommit commit = s.next();
  commit.once_seen = {{a, s.at(100)}, {b, s.at(200)}};
  s.commit_ok(std::move(commit));
  s.reopen();
  CHECK(s.seen({a, b, c}, s.at(50)) == std::vector<bool>{true, true, false});
  CHECK(s.seen({b, c, a}, s.at(150)) == std::vector<bool>{true, false, false});
  CHECK(s.seen({a, b}, s.at(250)) == std::vector<bool>{false, false});
  CHECK(s.seen({}, s.at(50)).empty());
  s.own();
  commit = s.next();
  commit.once_seen = {{a, s.at(400)}};
  s.commit_ok(std::move(commit));
  CHECK(s.seen({a}, s.at(300)) == std::vector<bool>{true});
  s.shard.number = 2;
  CHECK(s.seen({a}, s.at(300)) == std::vector<bool>{false});
}

TEMPLATE_LIST_TEST_CASE("a mark is kept per topic, partition and stream", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.marks = {{"letters", 1, "db/p/0", {100, 1}},
                  {"letters", 1, "db/p/0", {100, 2}},
                  {"letters", 1, "db/p/1", {50, 9}},
                  {"bets", 1, "db/p/0", {100, 1}},
                  {"letters", 2, "db/p/0", {99, 5}}};
  s.commit_ok(std::move(commit));
  commit = s.next();
  commit.marks = {{"letters", 1, "db/p/1", {60, 1}}};
  s.commit_ok(std::move(commit));
  s.reopen();
  std::map<std::string, StreamPosition> got;
  for (const ports::Mark& m : s.claim().marks) {
    got[m.topic + "," + std::to_string(m.partition) + "," + m.stream] = m.position;
  }
  CHECK(got == std::map<std::string, StreamPosition>{{"letters,1,db/p/0", {100, 2}},
                                                     {"letters,1,db/p/1", {60, 1}},
                                                     {"bets,1,db/p/0", {100, 1}},
                                                     {"letters,2,db/p/0", {99, 5}}});
}

TEMPLATE_LIST_TEST_CASE("replies are written with the commit, the last one counts", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  const std::string large = binary(kLargest);
  const Time later = s.at(3600);
  commit.replies = {{"ask1", "first", later}, {"ask2", large, later}, {"ask1", "second", later}};
  s.commit_ok(commit);
  CHECK(s.reply("ask1") == "second");
  CHECK(s.replies({"ask2", "ask3", "ask1", "ask2"}) ==
        std::vector<std::optional<std::string>>{large, std::nullopt, "second", large});
  CHECK(s.replies({}).empty());
  commit.replies = {{"ask3", "of a fenced commit", later}};
  CHECK(s.commit(commit).status == Status::fenced);
  CHECK_FALSE(s.reply("ask3").has_value());
  s.reopen();
  CHECK(s.reply("ask1") == "second");
}

TEMPLATE_LIST_TEST_CASE("an answer is kept whole with its commit, for its plugin, for its time",
                        "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const std::string scope = binary(32);
  ports::KeptAnswer answer{.scope = scope,
                           .request = binary(16),
                           .response = {.status = 201, .headers = {{"a", "b"}}, .body = binary(99)},
                           .whole = true,
                           .until = s.at(100)};
  ShardCommit commit = s.next();
  commit.answers = {
      answer, {.scope = "other", .request = {}, .response = {}, .whole = false, .until = s.at(50)}};
  CHECK_FALSE(commit.empty());
  s.commit_ok(commit);
  s.reopen();
  const auto kept = s.kept(scope, s.at(99));
  REQUIRE(kept);
  CHECK(kept->scope == scope);
  CHECK(kept->request == answer.request);
  CHECK(kept->response.status == 201);
  CHECK(kept->response.headers == answer.response.headers);
  CHECK(kept->response.body == answer.response.body);
  CHECK(kept->whole);
  CHECK(kept->until == s.at(100));
  REQUIRE(s.kept("other", s.at(49)));
  CHECK_FALSE(s.kept("other", s.at(49))->whole);
  CHECK_FALSE(s.kept("other", s.at(50)));
  CHECK_FALSE(s.kept("foxes", scope, s.at(1)));
  CHECK_FALSE(s.kept("nobody", s.at(1)));
}

TEMPLATE_LIST_TEST_CASE("a request is answered once, whichever shard commits", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const auto answer = [&](const char* scope, const char* body, Time until) {
    return ports::KeptAnswer{.scope = scope,
                             .request = {},
                             .response = {.status = 200, .headers = {}, .body = body},
                             .whole = true,
                             .until = until};
  };
  ShardCommit first = s.next();
  first.answers = {answer("a", "first", s.at(100))};
  s.commit_ok(first);

  ShardCommit second;
  second.shard = {s.shard.plugin, s.shard.number + 1};
  const ShardImage image = s.claim(second.shard);
  second.epoch = image.epoch;
  second.commit_no = image.commit_no;
  second.states.push_back({"k", StateRow{"{}", 1, {}}});
  second.answers = {answer("b", "new", s.at(100)), answer("a", "again", s.at(100))};
  const CommitResult refused = s.commit(second);
  CHECK(refused.status == Status::answered);
  REQUIRE(refused.failed.size() == 1);
  CHECK(refused.failed[0].first == 1);
  CHECK_FALSE(s.kept("b", s.at(1)));
  CHECK(s.kept("a", s.at(1))->response.body == "first");

  second.answers.pop_back();
  CHECK(s.commit(second).status == Status::committed);
  CHECK(s.kept("b", s.at(1))->response.body == "new");
}

TEMPLATE_LIST_TEST_CASE("an answer whose time is over is no hindrance", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ports::KeptAnswer answer{.scope = "a",
                           .request = {},
                           .response = {.status = 200, .headers = {}, .body = "old"},
                           .whole = true,
                           .until = s.at(10)};
  ShardCommit commit = s.next();
  commit.answers = {answer};
  s.commit_ok(commit);
  s.f.clock().advance(std::chrono::seconds(11));
  answer.response.body = "new";
  answer.until = s.at(100);
  commit = s.next();
  commit.answers = {answer};
  s.commit_ok(commit);
  CHECK(s.kept("a", s.at(12))->response.body == "new");
}

}  // namespace host::contract
