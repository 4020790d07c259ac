#pragma once

// The contract of ports::Store. How to include it: contract_support.h.

#include <set>

#include "tests/contract/contract_support.h"

namespace host::contract {

using ports::CommitResult;
using ports::ShardCommit;
using ports::ShardImage;
using ports::StateRow;
using Status = ports::CommitResult::Status;

inline std::shared_ptr<const ShardCommit> share(ShardCommit commit) {
  return std::make_shared<const ShardCommit>(std::move(commit));
}

/// The vocabulary of the store's cases: every call awaited, `next()` the commit of the owner.
template <class F>
struct StoreCase {
  explicit StoreCase(std::string plugin = "owls", PartitionNumber number = 1)
      : shard{std::move(plugin), number} {
    open();
  }

  void open() { must(f.store().open_deployment(kPartitions)); }
  void reopen() {
    f.reopen();
    open();
  }

  ShardImage claim() { return claim(shard); }
  ShardImage claim(const ShardRef& which) {
    Answer<Result<ShardImage>> answer;
    f.store().claim(which, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  /// Claims and remembers the image as the owner's.
  void own() { image = claim(); }

  ShardCommit next() const {
    ShardCommit commit;
    commit.shard = shard;
    commit.epoch = image.epoch;
    commit.commit_no = image.commit_no;
    commit.seq = image.seq;
    commit.acked_seq = image.acked_seq;
    return commit;
  }
  CommitResult commit(ShardCommit what) {
    Answer<CommitResult> answer;
    f.store().commit(share(std::move(what)), f.executor(), answer.taker());
    return await(f, answer);
  }
  /// Commits and goes on as the owner does.
  void commit_ok(ShardCommit what) {
    const auto seq = what.seq, acked = what.acked_seq;
    const CommitResult result = commit(std::move(what));
    INFO(result.error.to_string());
    REQUIRE(result.status == Status::committed);
    ++image.commit_no;
    image.seq = seq;
    image.acked_seq = acked;
  }
  void put_state(const std::string& key, const std::string& bytes, int version = 1) {
    ShardCommit commit = next();
    commit.states.push_back({key, StateRow{bytes, version, {}}});
    commit_ok(std::move(commit));
  }

  std::vector<StateRow> states(std::vector<std::string> keys) {
    Answer<Result<std::vector<StateRow>>> answer;
    f.store().load_states(shard, std::move(keys), f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::optional<std::string> state(const std::string& key) { return states({key}).at(0).bytes; }
  std::vector<ports::PendingRow> pending(std::vector<std::int64_t> ids) {
    Answer<Result<std::vector<ports::PendingRow>>> answer;
    f.store().load_pending(shard, std::move(ids), f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::vector<ports::TimerRow> timers(Time after = Time::min(), std::string after_id = "",
                                      std::size_t limit = 1000) {
    Answer<Result<std::vector<ports::TimerRow>>> answer;
    f.store().load_timers(shard, after, std::move(after_id), limit, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::vector<std::string> timer_ids() {
    std::vector<std::string> ids;
    for (const auto& row : timers()) ids.push_back(row.id);
    return ids;
  }
  std::vector<bool> seen(std::vector<std::string> ids, Time now) {
    Answer<Result<std::vector<bool>>> answer;
    f.store().once_seen(shard, std::move(ids), now, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  ports::StateList list(const std::string& plugin, std::string after, std::size_t limit) {
    Answer<Result<ports::StateList>> answer;
    f.store().list_states(plugin, std::move(after), limit, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  ports::DeadList dead(const std::string& plugin, std::string after = "", std::size_t limit = 100) {
    Answer<Result<ports::DeadList>> answer;
    f.store().list_dead(plugin, std::move(after), limit, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  Result<ports::DeadLetter> show_dead(const std::string& plugin, const std::string& id) {
    Answer<Result<ports::DeadLetter>> answer;
    f.store().show_dead(plugin, id, f.executor(), answer.taker());
    return await(f, answer);
  }
  Time at(int seconds) { return fakes_start() + std::chrono::seconds(seconds); }
  static Time fakes_start() { return from_micros(fakes::ManualClock::kStart); }

  F f;
  ShardRef shard;
  ShardImage image;
};

inline Message message(std::string id, std::optional<std::string> key, std::string payload) {
  Message m;
  m.id = std::move(id);
  m.topic = "letters";
  m.key = std::move(key);
  m.payload = std::move(payload);
  m.headers = {{"host-id", "x"}, {"blob", binary(256)}};
  m.time = from_micros(1'700'000'000'123'456);
  m.attempt = 3;
  return m;
}

inline void same_message(const Message& got, const Message& want) {
  CHECK(got.kind == want.kind);
  CHECK(got.id == want.id);
  CHECK(got.topic == want.topic);
  CHECK(got.key == want.key);
  CHECK(got.payload == want.payload);
  CHECK(got.headers == want.headers);
  CHECK(got.time == want.time);
  CHECK(got.attempt == want.attempt);
}

inline TimerSet timer(std::string id, std::string name, Time due, std::string payload = "{}") {
  return {std::move(id), std::move(name), due, std::move(payload)};
}

inline ports::DeadLetter dead_letter(std::string id, const ShardRef& shard, Time when) {
  ports::DeadLetter letter;
  letter.id = id;
  letter.plugin = shard.plugin;
  letter.shard = shard.number;
  letter.message = message(std::move(id), "k", "payload");
  letter.reason = "failed";
  letter.error = Error{Error::Code::script_error, "it broke", "mend it", true, "plugins/a.lua", 7};
  letter.revision = "0123456789ab";
  letter.at = when;
  return letter;
}

// ---- deployment ------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("a deployment has one partition count for good", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  const auto first = must(s.f.store().open_deployment(kPartitions));
  CHECK(first.partitions == kPartitions);
  CHECK(!first.database.empty());
  CHECK(first.secret.size() == 32);
  const auto other = s.f.store().open_deployment(9);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code == Error::Code::invalid);
  CHECK_THAT(other.error().message,
             Catch::Contains("9") && Catch::Contains(std::to_string(kPartitions)));
  s.f.reopen();
  CHECK_FALSE(s.f.store().open_deployment(9).ok());
  const auto again = must(s.f.store().open_deployment(kPartitions));
  CHECK(again.database == first.database);
  CHECK(again.secret == first.secret);
}

TEMPLATE_LIST_TEST_CASE("two stores have different names and secrets", "[store]", StoreFixtures) {
  StoreCase<TestType> a, b;
  const auto first = must(a.f.store().open_deployment(kPartitions));
  const auto second = must(b.f.store().open_deployment(kPartitions));
  CHECK(first.database != second.database);
  CHECK(first.secret != second.secret);
}

TEMPLATE_LIST_TEST_CASE("a store that works is healthy", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  CHECK(s.f.store().health() == "");
}

TEMPLATE_LIST_TEST_CASE("the last good sources are kept with their bytes", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  CHECK_FALSE(must(s.f.store().last_good("owls")).has_value());
  must(s.f.store().remember_good("owls", {"aaaaaaaaaaaa", {{"plugins/owls.lua", "return 1"}}}));
  const std::string odd = binary(70'000);
  must(s.f.store().remember_good("owls", {"bbbbbbbbbbbb", {{"plugins/owls.lua", odd}, {"x", ""}}}));
  must(s.f.store().remember_good("toads", {"cccccccccccc", {}}));
  s.reopen();
  const auto good = must(s.f.store().last_good("owls"));
  REQUIRE(good.has_value());
  CHECK(good->revision == "bbbbbbbbbbbb");
  REQUIRE(good->files.size() == 2);
  CHECK(good->files[0].first == "plugins/owls.lua");
  CHECK(good->files[0].second == odd);
  CHECK(must(s.f.store().last_good("toads"))->files.empty());
}

// ---- claim and fence -------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("a new shard is empty, at an epoch of the clock", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  const std::int64_t clock_ms = to_micros(s.f.clock().now()) / 1000;
  const ShardImage image = s.claim();
  CHECK(image.epoch >= clock_ms);
  CHECK(image.next_offsets.empty());
  CHECK(image.seq == 0);
  CHECK(image.acked_seq == 0);
  CHECK(image.state_version == 0);
  CHECK(image.pending.empty());
  CHECK(image.marks.empty());
  CHECK(image.outgoing.empty());
  CHECK(image.every_next.empty());
}

TEMPLATE_LIST_TEST_CASE("every claim has a higher epoch, whatever the clock does", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  const std::int64_t first = s.claim().epoch;
  const std::int64_t second = s.claim().epoch;
  CHECK(second > first);
  s.f.clock().advance(std::chrono::hours(1));
  const std::int64_t later = s.claim().epoch;
  CHECK(later >= second + 3'600'000 - 1'000);
  s.f.clock().advance(-std::chrono::hours(2));
  CHECK(s.claim().epoch > later);
  s.reopen();
  CHECK(s.claim().epoch > later + 1);
}

TEMPLATE_LIST_TEST_CASE("a claim reads what was committed, and its place", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const std::int64_t before = s.image.commit_no;
  ShardCommit commit = s.next();
  commit.next_offsets = {{"letters", 10}, {"bets", 3}};
  commit.state_version = 4;
  commit.every_next = {{"tick", s.at(5)}, {"tock", s.at(6)}};
  s.commit_ok(std::move(commit));
  commit = s.next();
  commit.next_offsets = {{"letters", 11}, {"letters", 12}};
  commit.state_version = 4;
  commit.every_next = {{"tick", s.at(9)}};
  s.commit_ok(std::move(commit));
  const ShardImage image = s.claim();
  CHECK(image.commit_no == before + 2);
  CHECK(image.next_offsets == std::map<std::string, Offset>{{"bets", 3}, {"letters", 12}});
  CHECK(image.state_version == 4);
  CHECK(image.every_next == std::map<std::string, Time>{{"tick", s.at(9)}, {"tock", s.at(6)}});
}

TEMPLATE_LIST_TEST_CASE("an old epoch is fenced and writes nothing", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.put_state("harry", "one");
  ShardCommit old = s.next();
  old.states.push_back({"harry", StateRow{"zombie", 1, {}}});
  old.next_offsets = {{"letters", 99}};
  old.dead.push_back(dead_letter("z", s.shard, s.at(0)));
  s.own();
  CHECK(s.commit(old).status == Status::fenced);
  CHECK(s.state("harry") == "one");
  CHECK(s.claim().next_offsets.empty());
  CHECK(s.dead("owls").items.empty());
}

TEMPLATE_LIST_TEST_CASE("the new owner commits where the old one is fenced", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const ShardImage zombie = s.image;
  s.own();
  s.put_state("harry", "of the owner");
  ShardCommit late = s.next();
  late.epoch = zombie.epoch;
  late.states.push_back({"harry", StateRow{"of the zombie", 1, {}}});
  CHECK(s.commit(late).status == Status::fenced);
  late.commit_no = zombie.commit_no;
  CHECK(s.commit(late).status == Status::fenced);
  s.put_state("ron", "goes on");
  CHECK(s.state("harry") == "of the owner");
}

TEMPLATE_LIST_TEST_CASE("another commit number is fenced: no commit counts twice", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit once = s.next();
  once.states.push_back({"harry", StateRow{"one", 1, {}}});
  s.commit_ok(once);
  once.states[0].second.bytes = "twice";
  CHECK(s.commit(once).status == Status::fenced);
  ShardCommit ahead = s.next();
  ++ahead.commit_no;
  ahead.states.push_back({"harry", StateRow{"ahead", 1, {}}});
  CHECK(s.commit(ahead).status == Status::fenced);
  CHECK(s.state("harry") == "one");
}

TEMPLATE_LIST_TEST_CASE("a shard that nobody claimed takes no commit", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  CHECK(s.commit(s.next()).status == Status::fenced);
}

TEMPLATE_LIST_TEST_CASE("a fence is the shard's own", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.claim({"owls", 2});
  s.claim({"owls", kFirstDoor});
  s.claim({"toads", 1});
  s.put_state("harry", "still mine");
  CHECK(s.state("harry") == "still mine");
}

TEMPLATE_LIST_TEST_CASE("an empty commit moves the commit number", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const std::int64_t before = s.image.commit_no;
  s.commit_ok(s.next());
  CHECK(s.claim().commit_no == before + 1);
}

TEMPLATE_LIST_TEST_CASE("commits of a shard are carried out in the order of their calls", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  std::vector<Answer<CommitResult>> answers(20);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ShardCommit commit = s.next();
    commit.commit_no += static_cast<std::int64_t>(i);
    commit.states.push_back({"harry", StateRow{std::to_string(i), 1, {}}});
    s.f.store().commit(share(std::move(commit)), s.f.executor(), answers[i].taker());
  }
  for (auto& answer : answers) CHECK(await(s.f, answer).status == Status::committed);
  CHECK(s.state("harry") == "19");
}

TEMPLATE_LIST_TEST_CASE("what was committed survives a restart, the old owner not a claim",
                        "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.put_state("harry", "one");
  const ShardCommit late = s.next();
  s.reopen();
  CHECK(s.state("harry") == "one");
  s.own();
  CHECK(s.commit(late).status == Status::fenced);
  s.put_state("harry", "two");
  CHECK(s.state("harry") == "two");
}

// ---- states ----------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("states come in the order asked for, absent ones empty", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.states = {{"a", StateRow{"1", 2, {}}}, {"b", StateRow{"", 3, {}}}};
  s.commit_ok(std::move(commit));
  const auto rows = s.states({"b", "nobody", "a", "b"});
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].bytes == "");
  CHECK(rows[0].version == 3);
  CHECK_FALSE(rows[1].bytes.has_value());
  CHECK(rows[1].version == 0);
  CHECK_FALSE(rows[1].quiet_until.has_value());
  CHECK(rows[2].bytes == "1");
  CHECK(rows[2].version == 2);
  CHECK(rows[3].bytes == "");
  CHECK(s.states({}).empty());
}

TEMPLATE_LIST_TEST_CASE("the last state of a key in a commit wins", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  commit.states = {{"a", StateRow{"1", 1, {}}},
                   {"b", StateRow{"2", 1, {}}},
                   {"a", StateRow{"3", 1, {}}},
                   {"b", StateRow{std::nullopt, 1, {}}}};
  s.commit_ok(std::move(commit));
  CHECK(s.state("a") == "3");
  CHECK_FALSE(s.state("b").has_value());
}

TEMPLATE_LIST_TEST_CASE("a forgotten state has no bytes but keeps its quiet time", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.put_state("harry", "one");
  s.put_state("ron", "one");
  ShardCommit commit = s.next();
  const Time quiet = s.at(3'000'000) + Duration{123'456};
  commit.states = {{"harry", StateRow{std::nullopt, 1, quiet}},
                   {"ron", StateRow{std::nullopt, 1, {}}}};
  s.commit_ok(std::move(commit));
  s.reopen();
  const auto rows = s.states({"harry", "ron"});
  CHECK_FALSE(rows[0].bytes.has_value());
  CHECK(rows[0].quiet_until == quiet);
  CHECK_FALSE(rows[1].bytes.has_value());
  CHECK_FALSE(rows[1].quiet_until.has_value());
  s.own();
  s.put_state("harry", "back");
  CHECK(s.state("harry") == "back");
  CHECK_FALSE(s.states({"harry"})[0].quiet_until.has_value());
}

TEMPLATE_LIST_TEST_CASE("a state belongs to its plugin and shard", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.put_state("harry", "here");
  for (const ShardRef& other : {ShardRef{"owls", 2}, ShardRef{"toads", 1}, ShardRef{"owl", 1}}) {
    s.shard = other;
    CHECK_FALSE(s.state("harry").has_value());
  }
}

TEMPLATE_LIST_TEST_CASE("read_state sees what is committed, of any shard", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  s.put_state("harry", "one", 5);
  Answer<Result<StateRow>> there, nowhere;
  s.f.store().read_state(s.shard, "harry", s.f.executor(), there.taker());
  s.f.store().read_state({"owls", 3}, "harry", s.f.executor(), nowhere.taker());
  const StateRow row = must(await(s.f, there));
  CHECK(row.bytes == "one");
  CHECK(row.version == 5);
  CHECK_FALSE(must(await(s.f, nowhere)).bytes.has_value());
}

TEMPLATE_LIST_TEST_CASE("bytes of every value and size pass through state rows", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  const std::string key = "k\xC3\xA9y \xF0\x9F\xA6\x89 'quoted' \"%_\\";
  const std::vector<std::string> values{
      binary(1), binary(256), std::string("\0", 1), std::string("a\0b", 3),
      "a\\134b", "\\x61",     binary(kLargest)};
  for (const std::string& value : values) {
    s.put_state(key, value);
    CHECK(s.state(key) == value);
  }
  s.put_state(std::string(512, 'k'), "long key");
  s.reopen();
  CHECK(s.state(key) == values.back());
  CHECK(s.state(std::string(512, 'k')) == "long key");
}

TEMPLATE_LIST_TEST_CASE("many states pass through one commit", "[store]", StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  std::vector<std::string> keys;
  for (int i = 0; i < 2'000; ++i) {
    keys.push_back("key" + std::to_string(i));
    commit.states.push_back({keys.back(), StateRow{binary(100, static_cast<unsigned>(i)), 1, {}}});
  }
  s.commit_ok(std::move(commit));
  const auto rows = s.states(keys);
  REQUIRE(rows.size() == keys.size());
  for (unsigned i = 0; i < rows.size(); ++i) REQUIRE(rows[i].bytes == binary(100, i));
}

// ---- listing ---------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("states of all shards are listed in byte order, page by page", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  const std::vector<std::string> keys{"a",
                                      "aa",
                                      "a b",
                                      "B",
                                      "b",
                                      "Z",
                                      "z",
                                      "0",
                                      "~",
                                      "\xC3\xA9",
                                      "\xC3\xA4",
                                      "\xEE\x80\x80",      // U+E000, which sorts before
                                      "\xF0\x90\x80\x80",  // U+10000 in bytes, after it in UTF-16
                                      "\x7F",
                                      "\x01",
                                      "e\xCC\x81",
                                      "ab"};
  PartitionNumber number = 0;
  for (const std::string& key : keys) {
    s.shard.number = number++ % kPartitions;
    s.own();
    s.put_state(key, "state of " + key, 2);
  }
  s.shard = {"owls2", 0};
  s.own();
  s.put_state("of another plugin", "x");

  std::vector<std::string> want = keys;
  std::sort(want.begin(), want.end(), [](const std::string& a, const std::string& b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
      return static_cast<unsigned char>(x) < static_cast<unsigned char>(y);
    });
  });
  for (const std::size_t limit : {1U, 2U, 5U, 17U, 1000U}) {
    std::vector<std::string> got;
    std::string after;
    for (std::size_t page = 0; page <= keys.size() + 1; ++page) {
      const ports::StateList list = s.list("owls", after, limit);
      CHECK(list.items.size() <= limit);
      for (const auto& item : list.items) {
        got.push_back(item.key);
        CHECK(item.state.bytes == "state of " + item.key);
        CHECK(item.state.version == 2);
      }
      if (!list.next) break;
      after = *list.next;
    }
    CHECK(got == want);
  }
}

TEMPLATE_LIST_TEST_CASE("a list begins after its key and leaves out the forgotten", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  for (const char* key : {"a", "b", "c", "d"}) s.put_state(key, key);
  ShardCommit commit = s.next();
  commit.states = {{"c", StateRow{std::nullopt, 1, s.at(1'000'000)}}};
  s.commit_ok(std::move(commit));
  const auto keys = [](const ports::StateList& list) {
    std::string text;
    for (const auto& item : list.items) text += item.key;
    return text;
  };
  CHECK(keys(s.list("owls", "", 100)) == "abd");
  CHECK(keys(s.list("owls", "a", 100)) == "bd");
  CHECK(keys(s.list("owls", "aa", 100)) == "bd");
  CHECK(keys(s.list("owls", "d", 100)) == "");
  CHECK_FALSE(s.list("owls", "", 100).next.has_value());
  CHECK(s.list("nobody", "", 100).items.empty());
}

// ---- pending ---------------------------------------------------------------------------------

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

// ---- timers ----------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("timers come back whole, by due time and id, page by page", "[store]",
                        StoreFixtures) {
  StoreCase<TestType> s;
  s.own();
  ShardCommit commit = s.next();
  std::vector<std::pair<Time, std::string>> want;
  for (int i = 0; i < 30; ++i) {
    const std::string id = "t" + std::to_string(i * 7 % 30);
    want.push_back({s.at(i % 4) + Duration{i % 3}, id});
    commit.timers.push_back(
        {"key" + std::to_string(i % 5), timer(id, "wake", want.back().first, binary(100, 3))});
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

// ---- once, marks, replies --------------------------------------------------------------------

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
  if constexpr (requires { s.f.reply("id"); }) {
    s.own();
    ShardCommit commit = s.next();
    const std::string large = binary(kLargest);
    commit.replies = {{"ask1", "first"}, {"ask2", large}, {"ask1", "second"}};
    s.commit_ok(commit);
    CHECK(s.f.reply("ask1") == "second");
    CHECK(s.f.reply("ask2") == large);
    CHECK_FALSE(s.f.reply("ask3").has_value());
    commit.replies = {{"ask3", "of a fenced commit"}};
    CHECK(s.commit(commit).status == Status::fenced);
    CHECK_FALSE(s.f.reply("ask3").has_value());
  }
}

// ---- dead letters ----------------------------------------------------------------------------

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

// ---- outgoing --------------------------------------------------------------------------------

inline ports::OutgoingRow outgoing(std::int64_t epoch, std::int64_t seq, std::string payload) {
  ports::OutgoingRow row{epoch, seq, {"letters", 1, "harry", std::move(payload), {}}};
  row.record.headers = {
      {"host-origin", "db/owls/1/" + std::to_string(epoch) + "-" + std::to_string(seq)},
      {"blob", binary(256)}};
  return row;
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

// ---- all or nothing --------------------------------------------------------------------------

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
