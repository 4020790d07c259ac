#pragma once

// Dead letters, outgoing messages, all or nothing. Included by store_contract.h.

#include "tests/contract/store_support.h"

namespace host::contract {

TEMPLATE_LIST_TEST_CASE("a dead letter comes back whole", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ports::DeadLetter letter = dead_letter("owls/1/2-3", s.shard, s.at(5) + Duration{123});
  letter.message.payload = binary(kLargest);
  letter.message.key = std::nullopt;
  letter.message.kind = Message::Kind::timer;
  ShardCommit commit = s.next();
  commit.dead = {letter};
  s.commit_ok(std::move(commit));
  s.reopen();
  const auto same = [&](const ports::DeadLetter& got) {
    CHECK(got.id == letter.id);
    CHECK(got.plugin == "owls");
    CHECK(got.shard == 1);
    same_message(got.message, letter.message);
    CHECK(got.reason == "failed");
    CHECK(got.error.code == Error::Code::script_error);
    CHECK(got.error.message == "it broke");
    CHECK(got.error.hint == "mend it");
    CHECK(got.error.file == "plugins/a.lua");
    CHECK(got.error.line == 7);
    CHECK(got.revision == "0123456789ab");
    CHECK(got.at == letter.at);
  };
  same(must(s.show_dead("owls", letter.id)));
  const auto list = s.dead("owls");
  REQUIRE(list.items.size() == 1);
  same(list.items[0]);
}

TEMPLATE_LIST_TEST_CASE("dead letters are listed newest first, page by page, each once", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  for (int i = 0; i < 12; ++i) {
    s.shard = {i % 3 == 0 ? "toads" : "owls", i % kPartitions};
    s.own();
    ShardCommit commit = s.next();
    commit.dead = {dead_letter("d" + std::to_string(i), s.shard, s.at(i / 4))};  // ties in time
    s.commit_ok(std::move(commit));
  }
  for (const char* plugin : {"", "owls", "toads"}) {
    for (const std::size_t limit : {1U, 3U, 100U}) {
      std::set<std::string> ids;
      std::size_t count = 0;
      std::string after;
      Time last = Time::max();
      for (int page = 0; page < 14; ++page) {
        const ports::DeadList list = s.dead(plugin, after, limit);
        CHECK(list.items.size() <= limit);
        for (const auto& letter : list.items) {
          ids.insert(letter.id);
          ++count;
          CHECK(letter.at <= last);
          last = letter.at;
          if (*plugin != '\0') CHECK(letter.plugin == plugin);
        }
        if (!list.next) break;
        after = *list.next;
      }
      const std::size_t want = *plugin == '\0' ? 12 : *plugin == 'o' ? 8 : 4;
      CHECK(count == want);
      CHECK(ids.size() == want);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("a dead letter that is redriven is removed by its commit", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.dead = {dead_letter("a", s.shard, s.at(1)), dead_letter("b", s.shard, s.at(2))};
  s.commit_ok(commit);
  s.shard.plugin = "toads";
  s.own();
  ShardCommit other = s.next();
  other.dead = {dead_letter("a", s.shard, s.at(1))};
  s.commit_ok(std::move(other));
  s.shard.plugin = "owls";
  s.own();
  commit = s.next();
  commit.dead_remove = {"a", "unknown"};
  s.commit_ok(std::move(commit));
  const auto gone = s.show_dead("owls", "a");
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == Error::Code::not_found);
  CHECK(must(s.show_dead("owls", "b")).id == "b");
  CHECK(must(s.show_dead("toads", "a")).id == "a");
  CHECK_FALSE(s.show_dead("nobody", "a").ok());
}

TEMPLATE_LIST_TEST_CASE("outgoing messages wait in the image until they are acknowledged",
                        "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  if (s.f.shares_store()) return;
  s.own();
  const std::int64_t first = s.image.epoch;
  ShardCommit commit = s.next();
  commit.outgoing = {outgoing(first, 1, "one"), outgoing(first, 2, binary(kLargest))};
  commit.seq = 2;
  s.commit_ok(std::move(commit));
  s.own();
  REQUIRE(s.image.outgoing.size() == 2);
  CHECK(s.image.seq == 2);
  commit = s.next();
  commit.outgoing = {outgoing(s.image.epoch, 3, "three")};
  commit.seq = 3;
  commit.acked_seq = 1;
  s.commit_ok(std::move(commit));
  s.reopen();
  s.own();
  CHECK(s.image.acked_seq == 1);
  REQUIRE(s.image.outgoing.size() == 2);
  const ports::OutgoingRow& row = s.image.outgoing[0];
  CHECK(row.epoch == first);
  CHECK(row.seq == 2);
  CHECK(row.record.topic == "letters");
  CHECK(row.record.partition == 1);
  CHECK(row.record.key == "harry");
  CHECK(row.record.payload == binary(kLargest));
  CHECK(row.record.headers == outgoing(first, 2, "").record.headers);
  CHECK(s.image.outgoing[1].seq == 3);
  CHECK(s.image.outgoing[1].epoch > first);
  commit = s.next();
  commit.acked_seq = 3;
  s.commit_ok(std::move(commit));
  CHECK(s.claim().outgoing.empty());
}

TEMPLATE_LIST_TEST_CASE("where log and store are one, a commit appends what it sends", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  if (!s.f.shares_store()) return;
  make_topics(s.f, {"letters"});
  Answer<Result<ports::Fetched>> waiting;
  const auto handle = s.f.log().fetch("letters", 1, range(s.f, "letters", 1).end, 1 << 20,
                                      s.f.executor(), waiting.taker());
  s.own();
  ShardCommit commit = s.next();
  const std::int64_t epoch = s.image.epoch;
  commit.outgoing = {outgoing(epoch, 1, "one"), outgoing(epoch, 2, binary(kLargest)),
                     outgoing(epoch, 3, "three")};
  commit.outgoing[2].record.partition = 2;
  commit.outgoing[2].record.key = std::nullopt;
  commit.seq = 3;
  s.commit_ok(commit);
  CHECK(must(await(s.f, waiting)).records.at(0).payload == "one");
  commit.outgoing = {outgoing(epoch, 4, "of a fenced commit")};
  CHECK(s.commit(commit).status == Status::fenced);
  s.reopen();
  const auto got = read_all(s.f, "letters", 1);
  REQUIRE(got.size() == 2);
  CHECK(got[0].key == "harry");
  CHECK(got[0].headers == outgoing(epoch, 1, "").record.headers);
  CHECK(got[1].payload == binary(kLargest));
  const auto other = read_all(s.f, "letters", 2);
  REQUIRE(other.size() == 1);
  CHECK(other[0].payload == "three");
  CHECK(other[0].key == std::nullopt);
  const ShardImage image = s.claim();
  CHECK(image.outgoing.empty());
  CHECK(image.seq == 3);
}

TEMPLATE_LIST_TEST_CASE("a fenced commit leaves nothing of any kind", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  if (s.f.shares_store()) make_topics(s.f, {"letters"});
  s.own();
  ShardCommit commit = s.next();
  commit.states = {{"harry", StateRow{"one", 1, {}}}};
  commit.pending_put = {{1, message("m1", "harry", "p"), {}, false, ""}};
  commit.timers = {{"harry", timer("t1", "wake", s.at(1))}};
  commit.dead = {dead_letter("d1", s.shard, s.at(1))};
  s.commit_ok(commit);

  ShardCommit late = s.next();
  const std::int64_t epoch = s.image.epoch;
  s.own();
  late.next_offsets = {{"letters", 5}};
  late.seq = 9;
  late.states = {{"harry", StateRow{std::nullopt, 1, {}}}, {"ron", StateRow{"x", 1, {}}}};
  late.pending_put = {{2, message("m2", "harry", "p"), {}, false, ""}};
  late.pending_remove = {1};
  late.timers = {{"harry", timer("t2", "wake", s.at(1))}};
  late.timers_fired = {"t1"};
  late.forget_timers = {"harry"};
  late.every_next = {{"tick", s.at(1)}};
  late.once_seen = {{"letters\1a", s.at(100)}};
  late.marks = {{"letters", 1, "db/p/0", {1, 1}}};
  late.outgoing = {outgoing(epoch, 9, "lost")};
  late.dead = {dead_letter("d2", s.shard, s.at(1))};
  late.dead_remove = {"d1"};
  CHECK(s.commit(late).status == Status::fenced);

  const ShardImage image = s.claim();
  CHECK(image.next_offsets.empty());
  CHECK(image.seq == 0);
  CHECK(image.pending.size() == 1);
  CHECK(image.marks.empty());
  CHECK(image.every_next.empty());
  CHECK(image.outgoing.empty());
  CHECK(s.state("harry") == "one");
  CHECK_FALSE(s.state("ron").has_value());
  CHECK(s.timer_ids() == std::vector<std::string>{"t1"});
  CHECK(s.seen({"letters\1a"}, s.at(1)) == std::vector<bool>{false});
  CHECK(s.dead("").items.size() == 1);
  CHECK(s.show_dead("owls", "d1").ok());
  if (s.f.shares_store()) CHECK(read_all(s.f, "letters", 1).empty());
}

TEMPLATE_LIST_TEST_CASE("no callback of the store comes inside the call, each comes once",
                        "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  Answer<Result<ShardImage>> claimed;
  Answer<CommitResult> committed, fenced;
  Answer<Result<std::vector<StateRow>>> states;
  Answer<Result<std::vector<ports::PendingRow>>> pending;
  Answer<Result<std::vector<ports::TimerRow>>> timers;
  Answer<Result<std::vector<bool>>> seen;
  Answer<Result<StateRow>> read;
  Answer<Result<ports::StateList>> listed;
  Answer<Result<ports::DeadList>> dead;
  Answer<Result<ports::DeadLetter>> shown;
  ports::Store& store = s.f.store();
  Executor& executor = s.f.executor();
  ShardCommit other = s.next();
  other.epoch = 1;
  store.commit(share(s.next()), executor, committed.taker());
  store.commit(share(other), executor, fenced.taker());
  store.load_states(s.shard, {"a"}, executor, states.taker());
  store.load_pending(s.shard, {1}, executor, pending.taker());
  store.load_timers(s.shard, Time::min(), "", 10, executor, timers.taker());
  store.once_seen(s.shard, {"a"}, s.at(0), executor, seen.taker());
  store.read_state(s.shard, "a", executor, read.taker());
  store.list_states("owls", "", 10, executor, listed.taker());
  store.list_dead("", "", 10, executor, dead.taker());
  store.show_dead("owls", "a", executor, shown.taker());
  store.claim(s.shard, executor, claimed.taker());
  const auto calls = [&] {
    return claimed.calls() + committed.calls() + fenced.calls() + states.calls() + pending.calls() +
           timers.calls() + seen.calls() + read.calls() + listed.calls() + dead.calls() +
           shown.calls();
  };
  CHECK(calls() == 0);
  CHECK(s.f.pump([&] { return calls() >= 11; }));
  s.claim();
  s.states({"a"});
  CHECK(calls() == 11);
  CHECK(committed->status == Status::committed);
  CHECK(fenced->status == Status::fenced);
  CHECK_FALSE(shown->ok());
}

TEMPLATE_LIST_TEST_CASE("after a stop the store answers unavailable and commits nothing", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.put_state("harry", "one");
  s.f.stop();
  Answer<Result<ShardImage>> claimed;
  Answer<CommitResult> committed;
  Answer<Result<std::vector<StateRow>>> states;
  ShardCommit late = s.next();
  late.states = {{"harry", StateRow{"late", 1, {}}}};
  s.f.store().claim(s.shard, s.f.executor(), claimed.taker());
  s.f.store().commit(share(late), s.f.executor(), committed.taker());
  s.f.store().load_states(s.shard, {"harry"}, s.f.executor(), states.taker());
  REQUIRE_FALSE(await(s.f, claimed).ok());
  CHECK(claimed->error().code == Error::Code::unavailable);
  REQUIRE_FALSE(await(s.f, states).ok());
  CHECK(states->error().code == Error::Code::unavailable);
  CHECK(await(s.f, committed).status == Status::not_now);
  CHECK(committed->error.code == Error::Code::unavailable);
  CHECK(s.f.store().health() != "");
  s.reopen();
  CHECK(s.state("harry") == "one");
}

}  // namespace host::contract
