#pragma once

// States and their lists. Included by store_contract.h.

#include "tests/contract/store_support.h"

namespace host::contract {

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

}  // namespace host::contract
