#pragma once

// Deployment, claims, the fence. Included by store_contract.h.

#include "tests/contract/store_support.h"

namespace host::contract {

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

}  // namespace host::contract
