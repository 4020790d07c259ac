#include <catch2/catch.hpp>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/journal/record.h"

namespace host::journal {
namespace {

const ShardRef kShard{"owls", 3};

std::string binary(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31);
  return bytes;
}

ports::ShardCommit rich_commit() {
  ports::ShardCommit c;
  c.next_offsets = {{"letters", 17}, {"owls.inbox", 0}};
  c.states = {{"harry", {R"({"n":1})", 2, {}}},
              {"ron", {std::nullopt, 0, from_micros(1'700'000'000'000'000)}},
              {std::string("\0\xff", 2), {std::string(300, 'x'), 1, {}}},
              {"gone", {}}};
  c.pending_remove = {5, -1, INT64_MAX};
  c.timers_fired = {"t1", ""};
  c.forget_timers = {"ron"};
  c.timers = {{"harry", TimerSet{"t2", "late", from_micros(-5), "{}", {{"a", "b"}}}},
              {"harry", TimerCancel{"late"}}};
  c.every_next = {{"hourly", from_micros(3)}};
  c.once_seen = {{std::string("letters\0e1", 10), from_micros(9)}};
  c.marks = {{"letters", 2, "db/owls/1", {1'700'000'000'000, 42}}};
  return c;
}

std::vector<PendingPut> rich_pending() {
  PendingPut put;
  put.row.id = 7;
  put.row.due = from_micros(12);
  put.row.stopped = true;
  put.row.last_error = "it broke";
  put.row.message = {Message::Kind::timer, "m-1",           "late", "harry", "payload",
                     {{"h", "v"}},         from_micros(99), 3};
  PendingPut other{.row = {.id = 8, .message = {}}, .replaces = true};
  return {put, other};
}

std::string encoded(const ports::ShardCommit& commit) {
  return encode(Changes{commit, rich_pending(), {"t8"}}, 12);
}

TEST_CASE("a journal record gives back every list of its commit") {
  const ports::ShardCommit want = rich_commit();
  const auto got = decode(encoded(want), kShard, 12);
  REQUIRE(got.ok());
  const ports::ShardCommit& c = got->commit;
  CHECK(got->commit_no == 12);
  CHECK(c.next_offsets == want.next_offsets);
  REQUIRE(c.states.size() == want.states.size());
  for (std::size_t i = 0; i < c.states.size(); ++i) {
    CHECK(c.states[i].first == want.states[i].first);
    CHECK(c.states[i].second.bytes == want.states[i].second.bytes);
    CHECK(c.states[i].second.version == want.states[i].second.version);
    CHECK(c.states[i].second.quiet_until == want.states[i].second.quiet_until);
  }
  CHECK(c.pending_remove == want.pending_remove);
  CHECK(c.timers_fired == want.timers_fired);
  CHECK(got->timers_ended == std::vector<std::string>{"t8"});
  CHECK(c.forget_timers == want.forget_timers);
  REQUIRE(c.timers.size() == 2);
  const auto& set = std::get<TimerSet>(c.timers[0].second);
  CHECK(c.timers[0].first == "harry");
  CHECK(set.id == "t2");
  CHECK(set.name == "late");
  CHECK(set.due == from_micros(-5));
  CHECK(set.payload == "{}");
  CHECK(set.headers == Headers{{"a", "b"}});
  CHECK(std::get<TimerCancel>(c.timers[1].second).id_or_name == "late");
  CHECK(c.every_next == want.every_next);
  CHECK(c.once_seen == want.once_seen);
  REQUIRE(c.marks.size() == 1);
  CHECK(c.marks[0].topic == "letters");
  CHECK(c.marks[0].partition == 2);
  CHECK(c.marks[0].stream == "db/owls/1");
  CHECK(c.marks[0].position == want.marks[0].position);
}

TEST_CASE("a journal record gives back pending rows whole") {
  const auto got = decode(encoded({}), kShard, 12);
  REQUIRE(got.ok());
  REQUIRE(got->pending.size() == 2);
  const PendingPut want = rich_pending()[0];
  const PendingPut& put = got->pending[0];
  CHECK_FALSE(put.replaces);
  CHECK(put.row.id == 7);
  CHECK(put.row.due == want.row.due);
  CHECK(put.row.stopped);
  CHECK(put.row.last_error == "it broke");
  CHECK(put.row.message.kind == Message::Kind::timer);
  CHECK(put.row.message.id == "m-1");
  CHECK(put.row.message.topic == "late");
  CHECK(put.row.message.key == "harry");
  CHECK(put.row.message.payload == "payload");
  CHECK(put.row.message.headers == want.row.message.headers);
  CHECK(put.row.message.time == from_micros(99));
  CHECK(put.row.message.attempt == 3);
  CHECK(got->pending[1].replaces);
  CHECK_FALSE(got->pending[1].row.due);
  CHECK_FALSE(got->pending[1].row.message.key);
}

TEST_CASE("outgoing messages are a record of their own, which older versions do not read") {
  ports::ShardCommit commit;
  commit.outgoing = {{1'700'000'000'000, 41, {"letters", 3, "harry", binary(300), {{"h", "v"}}}},
                     {1'700'000'000'000, 42, {"bets", 0, std::nullopt, "", {}}}};
  const Changes changes{.commit = commit, .pending = {}};
  CHECK(changes.empty());
  const std::string without = encode(changes, 12);
  CHECK(without[0] == 1);
  REQUIRE(decode(without, kShard, 12).ok());
  CHECK(decode(without, kShard, 12)->commit.outgoing.empty());
  const std::string with = encode_outgoing(commit, 12);
  CHECK(with[0] == 2);
  const auto got = decode(with, kShard, 12);
  REQUIRE(got.ok());
  REQUIRE(got->commit.outgoing.size() == 2);
  const ports::OutgoingRow& first = got->commit.outgoing[0];
  CHECK(first.epoch == 1'700'000'000'000);
  CHECK(first.seq == 41);
  CHECK(first.record.topic == "letters");
  CHECK(first.record.partition == 3);
  CHECK(first.record.key == "harry");
  CHECK(first.record.payload == binary(300));
  CHECK(first.record.headers == Headers{{"h", "v"}});
  CHECK_FALSE(got->commit.outgoing[1].record.key);
}

TEST_CASE("what another owner has dropped from its journal is forgotten") {
  Overlay overlay(Bounds{});
  for (int i = 1; i <= 3; ++i) {
    ports::ShardCommit commit;
    commit.states = {{"k" + std::to_string(i), {"{}", 1, {}}}, {"hot", {std::to_string(i), 1, {}}}};
    overlay.apply(Changes{.commit = commit, .pending = {}}, i, 100, from_micros(i));
  }
  overlay.forget_below(3);
  CHECK(overlay.tail_bytes() == 100);
  const auto states = overlay.states({"k1", "k2", "k3", "hot"});
  CHECK_FALSE(states[0]);
  CHECK_FALSE(states[1]);
  CHECK(states[2]);
  REQUIRE(states[3]);
  CHECK(states[3]->bytes == "3");
}

TEST_CASE("no flipped bit of a journal record goes unseen") {
  for (const bool compresses : {true, false}) {
    ports::ShardCommit commit = rich_commit();
    if (!compresses) commit = {};
    const std::string good = encoded(commit);
    REQUIRE(decode(good, kShard, 12).ok());
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
        const auto got = decode(bad, kShard, 12);
        CAPTURE(at, bit);
        REQUIRE_FALSE(got.ok());
        CHECK(got.error().message.find("shard owls/3, commit 12") != std::string::npos);
      }
    }
  }
}

TEST_CASE("a journal record that was torn anywhere is refused") {
  const std::string good = encoded(rich_commit());
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    const auto got = decode(std::string_view(good).substr(0, size), kShard, 12);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == Error::Code::corrupt);
  }
  CHECK_FALSE(decode(good + '\0', kShard, 12).ok());
}

TEST_CASE("a journal record stands for its own commit only, and a newer version is named") {
  const std::string good = encoded(rich_commit());
  const auto other = decode(good, kShard, 13);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code == Error::Code::corrupt);
  std::string newer = good;
  newer[0] = 3;
  const auto unknown = decode(newer, kShard, 12);
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().code == Error::Code::unsupported);
}

}  // namespace
}  // namespace host::journal
