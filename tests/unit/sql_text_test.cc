// How statements and migrations of plugins are cut, checked and numbered, for every store.

#include <catch2/catch.hpp>

#include "host/adapters/sql/answers.h"
#include "host/adapters/sql/migration_text.h"
#include "host/adapters/sql/parameters.h"
#include "host/adapters/sql/text.h"

namespace host::sql {
namespace {

std::string why(std::string_view text) {
  const Result<Tokens> tokens = cut_statement(text);
  return tokens ? "" : tokens.error().to_string();
}

Numbered numbered(std::string_view text, Numbering how = Numbering::each_place) {
  const Result<Tokens> tokens = cut_statement(text);
  REQUIRE(tokens.ok());
  return number_parameters(text, *tokens, how);
}

std::string names(const Numbered& statement) {
  std::string out;
  for (const auto& parameter : statement.parameters) {
    out += parameter.name + (parameter.stored ? "! " : " ");
  }
  return out;
}

TEST_CASE("a statement is one of five kinds, alone") {
  for (const char* fine :
       {"select 1", " \n/* x */ SELECT 1;", "with a as (select 1) select 2 -- end",
        "insert into t (a) values (';')", "delete from t where \";\" = 1 ; ;",
        "update t set a = 'it''s' /* ; */", "select 1 --"}) {
    CAPTURE(fine);
    CHECK(why(fine) == "");
  }
  CHECK_THAT(why("commit"), Catch::Contains("not with commit"));
  CHECK_THAT(why(""), Catch::Contains("a statement begins with SELECT"));
  CHECK_THAT(why(";select 1"), Catch::Contains("begins with"));
  CHECK_THAT(why("\"select\" 1"), Catch::Contains("begins with"));
  CHECK_THAT(why("select 1; select 2"), Catch::Contains("more than one statement"));
  CHECK_THAT(why("select 1;;drop table t"), Catch::Contains("more than one statement"));
  CHECK_THAT(why("select 1 -- x\r; drop table t"), Catch::Contains("more than one statement"));
}

TEST_CASE("what databases cut in different ways is refused, with its place") {
  CHECK_THAT(why("select $$;$$"), Catch::Contains("parameter $ has no name"));
  CHECK_THAT(why("select $x$ ; $x$"), Catch::Contains("parameter $x has no name"));
  CHECK_THAT(why("select $1"), Catch::Contains("$1 has no name"));
  CHECK_THAT(why("select ?"), Catch::Contains("parameter ? has no name"));
  CHECK_THAT(why("select @a"), Catch::Contains("parameter @a has no name"));
  CHECK_THAT(why("select :1"), Catch::Contains("has no name"));
  CHECK_THAT(why("select e'\\'; drop table t; --'"), Catch::Contains("escapes"));
  CHECK_THAT(why("select 1e'x'"), Catch::Contains("escapes"));
  CHECK_THAT(why("select U&'x'"), Catch::Contains("escapes"));
  CHECK_THAT(why("select u&\"x\""), Catch::Contains("escapes"));
  CHECK_THAT(why("select /* /* */ 1 */ 2"), Catch::Contains("a comment inside of a comment"));
  CHECK_THAT(why("select 1 /* "), Catch::Contains("no end"));
  CHECK_THAT(why("select 'a"), Catch::Contains("no end"));
  CHECK_THAT(why("select \"a"), Catch::Contains("no end"));
  CHECK_THAT(why("select `a`"), Catch::Contains("` `"));
  CHECK_THAT(why(std::string("select 1\0", 9)), Catch::Contains("NUL"));
  CHECK_THAT(why(std::string("select '\0'", 10)), Catch::Contains("NUL"));
  CHECK_THAT(why("select 1,\n  \xC3\xA9\xC3\xA9 $1"), Catch::Contains("line 2, column 6"));
}

TEST_CASE("parameters are numbered where they stand") {
  const Numbered each =
      numbered("select :a, ':b', \":c\", x::text, :a /* :d */ from t where :e_1=y");
  CHECK(each.text == "select $1, ':b', \":c\", x::text, $2 /* :d */ from t where $3=y");
  CHECK(names(each) == "a a e_1 ");
  const Numbered by_name = numbered("select :a, :b, :a", Numbering::each_name);
  CHECK(by_name.text == "select $1, $2, $1");
  CHECK(names(by_name) == "a b ");
  CHECK(numbered("select 1").text == "select 1");
}

TEST_CASE("the place that the server names is found in what was written") {
  const std::string written = "select :first, :x, y";
  const Numbered statement = numbered(written);
  REQUIRE(statement.text == "select $1, $2, y");
  CHECK(written.substr(statement.original(statement.text.find('y')), 1) == "y");
  CHECK(statement.original(3) == 3);
  CHECK(written.substr(statement.original(statement.text.find("$2")), 2) == ":x");
}

TEST_CASE("parameters that a column takes as they are, are known") {
  CHECK(names(numbered("insert into t (a, b) values (:a, :b)")) == "a! b! ");
  CHECK(names(numbered("insert into t (a, b) values (:a, :b), (1, :c) on conflict (a) do update"
                       " set b = t.b + :d")) == "a! b! c! d ");
  CHECK(names(numbered("insert into t (a) values (abs(:a))")) == "a ");
  CHECK(names(numbered("insert into t (a) values (:a + 1)")) == "a ");
  CHECK(names(numbered("insert into t (a) select a from (values (:a)) v (a)")) == "a ");
  CHECK(names(numbered("select * from (values (:a)) v")) == "a ");
  CHECK(names(numbered("update t set a = :a, b = :b where c = :c")) == "a! b! c ");
  CHECK(names(numbered("update t set a = :a returning :b")) == "a! b ");
  CHECK(names(numbered("update t set a = (b = :a)")) == "a ");
  CHECK(names(numbered("update t set a = :a || 'x'")) == "a ");
  CHECK(names(numbered("select a from t where b in (:a, :b)")) == "a b ");
  CHECK(names(numbered("select 1 from t order by a = 1, b = :a")) == "a ");
}

TEST_CASE("parameters that are not given, or given for nothing, are named") {
  CHECK(check_given({"a", "b"}, {{"a", std::int64_t{1}}, {"b", {}}}).ok());
  CHECK_THAT(check_given({"a", "b"}, {{"a", {}}}).error().message, Catch::Contains(":b"));
  CHECK_THAT(check_given({"a"}, {{"a", {}}, {"c", {}}}).error().message, Catch::Contains(":c"));
}

TEST_CASE("a migration's statements are found, with the places of their texts") {
  const std::string text =
      "CREATE TABLE m_t (id BIGINT PRIMARY KEY, text text, b text collate \"C\" not null,\n"
      " w double precision default (1), constraint m_c check (b <> ','), unique (text, b));"
      " create unique index if not exists m_i on m_t (text) where w > 1;;"
      "alter table m_t add column c text;";
  const auto changes = read_migration(text, "m");
  REQUIRE(changes.ok());
  REQUIRE(changes->size() == 3);
  const Change& table = changes->at(0);
  CHECK(table.kind == Change::Kind::create_table);
  CHECK(table.table == "m_t");
  REQUIRE(table.texts.size() == 1);
  CHECK(text.substr(table.texts[0] - 9, 9) == "text text");
  CHECK(text.substr(table.begin, 12) == "CREATE TABLE");
  CHECK(text[table.begin + table.size] == ';');
  CHECK(changes->at(1).index == "m_i");
  CHECK(changes->at(2).kind == Change::Kind::add_column);
  CHECK(text.substr(changes->at(2).texts.at(0) - 6, 6) == "c text");
}

TEST_CASE("what a migration may not say is refused") {
  for (const char* bad : {"",
                          " -- x",
                          ";",
                          "create table m_t (id bigint) inherits (m_u)",
                          "create table m_t (id bigint) with (fillfactor = 70)",
                          "create table m_t (like m_u)",
                          "create table m_t (id bigint[])",
                          "create table m_t (id bigint,)",
                          "create table m_t ()",
                          "create table m_t (host_id bigint)",
                          "alter table m_t add \"PG_x\" text",
                          "create table m_t (id)",
                          "create table m_t (id serial)",
                          "create table m_t as select 1",
                          "create table m_t (id bigint) partition by hash (id)",
                          "create unlogged table m_t (id bigint)",
                          "create table \"m_t\" (id bigint)",
                          "create table m.m_t (id bigint)",
                          "create table other (id bigint)",
                          "create index concurrently m_i on m_t (a)",
                          "create index m_i on only m_t (a)",
                          "create index m_i on m_t using gin (a)",
                          "create index on m_t (a)",
                          "create index m_i on other (a)",
                          "alter table m_t add column a text, add column b text",
                          "alter table m_t drop column a",
                          "alter table m_t alter column a type bigint",
                          "alter table m_t add constraint c check (1)",
                          "alter table m_t rename to m_u",
                          "drop table m_t",
                          "insert into m_t (a) values (1)",
                          "truncate m_t",
                          "create table m_t (a text); drop table m_t",
                          "create view m_v as select 1",
                          "create function m_f() returns int language sql as $$ select 1 $$",
                          "commit",
                          "grant select on m_t to public",
                          "create table m_t (id bigint"}) {
    CAPTURE(bad);
    const auto read = read_migration(bad, "m");
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == Error::Code::invalid);
  }
}

}  // namespace
}  // namespace host::sql
