#pragma once

// What plugin SQL promises, for stores that have a real database. How to include it:
// contract_support.h.

#include "tests/contract/store_support.h"

namespace host::contract {

inline const std::vector<std::string> kOwlTables{
    "create table owls_letters (id bigint primary key, text text, weight double precision)"};

inline SqlStatement insert_letter(std::int64_t id, SqlValue text, SqlValue weight = 1.5) {
  return {"insert into owls_letters (id, text, weight) values (:id, :text, :weight)",
          {{"id", id}, {"text", std::move(text)}, {"weight", std::move(weight)}}};
}

template <class F>
Result<SqlRows> query(StoreCase<F>& s, SqlStatement statement, const std::string& plugin = "owls") {
  Answer<Result<SqlRows>> answer;
  s.f.store().query(plugin, std::move(statement), s.f.executor(), answer.taker());
  return await(s.f, answer);
}

template <class F>
std::size_t letters(StoreCase<F>& s) {
  return must(query(s, {"select id from owls_letters order by id", {}})).rows.size();
}

TEMPLATE_LIST_TEST_CASE("a plugin's SQL is written with its commit and read by a query", "[sql]",
                        SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  s.own();
  ShardCommit commit = s.next();
  commit.units = {{"m1", {insert_letter(1, "dear\xC3\xA9"), insert_letter(5'000'000'000, {}, {})}},
                  {"m2", {insert_letter(3, std::int64_t{7})}}};
  s.commit_ok(std::move(commit));
  s.reopen();
  const SqlRows rows =
      must(query(s, {"select id, text, weight from owls_letters where id <> :not order by id",
                     {{"not", std::int64_t{3}}}}));
  CHECK(rows.columns == std::vector<std::string>{"id", "text", "weight"});
  REQUIRE(rows.rows.size() == 2);
  CHECK(rows.rows[0] == std::vector<SqlValue>{std::int64_t{1}, "dear\xC3\xA9", 1.5});
  CHECK(rows.rows[1] == std::vector<SqlValue>{std::int64_t{5'000'000'000}, {}, {}});
}

TEMPLATE_LIST_TEST_CASE("failing SQL names its unit and nothing of the commit is written", "[sql]",
                        SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  s.own();
  ShardCommit commit = s.next();
  commit.states = {{"harry", StateRow{"one", 1, {}}}};
  commit.units = {{"m1", {insert_letter(1, "a")}},
                  {"m2", {insert_letter(2, "b"), insert_letter(1, "again")}},
                  {"m3", {insert_letter(3, "c")}}};
  const CommitResult result = s.commit(commit);
  REQUIRE(result.status == Status::sql_failed);
  REQUIRE(result.failed.size() == 1);
  CHECK(result.failed[0].first == 1);
  CHECK(!result.failed[0].second.message.empty());
  CHECK_FALSE(result.failed[0].second.retryable);
  CHECK(letters(s) == 0);
  CHECK_FALSE(s.state("harry").has_value());
  commit.units.erase(commit.units.begin() + 1);  // same commit number: nothing was written
  s.commit_ok(std::move(commit));
  CHECK(letters(s) == 2);
  CHECK(s.state("harry") == "one");
}

TEMPLATE_LIST_TEST_CASE("every unit whose SQL fails is named", "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  s.own();
  ShardCommit commit = s.next();
  commit.units = {{"m0", {insert_letter(1, "a")}},
                  {"m1", {insert_letter(1, "b")}},
                  {"m2", {insert_letter(2, "c")}},
                  {"m3", {{"insert into owls_missing (a) values (1)", {}}}},
                  {"m4", {{"this is no SQL", {}}}}};
  const CommitResult result = s.commit(commit);
  REQUIRE(result.status == Status::sql_failed);
  std::vector<std::size_t> failed;
  for (const auto& [index, error] : result.failed) failed.push_back(index);
  CHECK(failed == std::vector<std::size_t>{1, 3, 4});
  CHECK(letters(s) == 0);
}

TEMPLATE_LIST_TEST_CASE("a fenced commit writes no SQL", "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  s.own();
  ShardCommit late = s.next();
  late.units = {{"m1", {insert_letter(1, "a")}}};
  s.own();
  CHECK(s.commit(late).status == Status::fenced);
  CHECK(letters(s) == 0);
}

TEMPLATE_LIST_TEST_CASE("a plugin reaches no transaction, no file and no other plugin's table",
                        "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  must(s.f.store().migrate("toads", {"create table toads_ponds (id bigint primary key)"}));
  s.own();
  for (const char* text :
       {"commit", "rollback", "begin", "savepoint a", "insert into toads_ponds (id) values (1)",
        "drop table owls_letters", "create table owls_more (id bigint)",
        "delete from owls_letters; delete from owls_letters", "pragma user_version = 3",
        "attach database 'x' as y"}) {
    ShardCommit commit = s.next();
    commit.units = {{"m1", {insert_letter(1, "a")}}, {"m2", {{text, {}}}}};
    const CommitResult result = s.commit(std::move(commit));
    INFO(text);
    REQUIRE(result.status == Status::sql_failed);
    CHECK(result.failed.at(0).first == 1);
    CHECK_FALSE(query(s, {text, {}}).ok());
    CHECK_FALSE(s.f.store().check_sql("owls", text).ok());
  }
  CHECK_FALSE(query(s, {"select id from toads_ponds", {}}).ok());
  CHECK(letters(s) == 0);
}

TEMPLATE_LIST_TEST_CASE("a query cannot write", "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  const auto result = query(s, insert_letter(1, "a"));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Error::Code::invalid);
  CHECK(letters(s) == 0);
}

TEMPLATE_LIST_TEST_CASE("a statement is checked without being run", "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  must(s.f.store().check_sql("owls", "delete from owls_letters where id = :id"));
  must(s.f.store().check_sql("owls", "insert into owls_letters (id, text) values (1, 'a')"));
  CHECK(letters(s) == 0);
  for (const char* text : {"select nothing from owls_letters", "select * from owls_missing", "x"}) {
    const auto result = s.f.store().check_sql("owls", text);
    INFO(text);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == Error::Code::invalid);
  }
}

TEMPLATE_LIST_TEST_CASE("migrations run once, in order, and are recorded", "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  std::vector<std::string> tables = kOwlTables;
  must(s.f.store().migrate("owls", tables));
  must(s.f.store().migrate("owls", tables));
  tables.push_back("create table owls_more (id bigint primary key)");
  must(s.f.store().migrate("owls", tables));
  s.reopen();
  must(s.f.store().migrate("owls", tables));
  must(s.f.store().check_sql("owls", "insert into owls_more (id) values (1)"));
}

TEMPLATE_LIST_TEST_CASE("a migration that is not allowed changes nothing and is named", "[sql]",
                        SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  for (const char* bad :
       {"create table letters (id bigint)", "drop table owls_letters", "create table owls_bad (",
        "delete from owls_letters", "create table toads_ponds (id bigint)"}) {
    std::vector<std::string> tables = kOwlTables;
    tables.push_back("create table owls_more (id bigint)");
    tables.push_back(bad);
    const auto result = s.f.store().migrate("owls", tables);
    INFO(bad);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == Error::Code::invalid);
    CHECK_THAT(result.error().message, Catch::Contains("3"));
    CHECK_FALSE(s.f.store().check_sql("owls", "select id from owls_more").ok());
  }
}

TEMPLATE_LIST_TEST_CASE("a recorded migration may not change", "[sql]", SqlFixtures) {
  StoreCase<TestType> s;
  must(s.f.store().migrate("owls", kOwlTables));
  const auto result =
      s.f.store().migrate("owls", {"create table owls_letters (id bigint primary key)"});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Error::Code::invalid);
  CHECK_THAT(result.error().message, Catch::Contains("1"));
}

}  // namespace host::contract
