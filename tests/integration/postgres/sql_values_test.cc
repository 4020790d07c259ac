// Values that go into PostgreSQL and come out of it, as they do with SQLite.

#include <catch2/catch.hpp>

#include "host/adapters/postgres/values.h"
#include "tests/integration/postgres/both.h"

namespace host::postgres_tests {
namespace {

constexpr std::int64_t kMost = INT64_MAX, kLeast = INT64_MIN;

const std::vector<std::string> kTables{
    "create table v_t (id bigint primary key, x text, y double precision)"};

SqlStatement insert(std::int64_t id, SqlValue x, SqlValue y) {
  return {"insert into v_t (id, x, y) values (:id, :x, :y)",
          {{"id", id}, {"x", std::move(x)}, {"y", std::move(y)}}};
}

TEST_CASE("values go in and out exactly, and print alike on both databases") {
  Both both("v", kTables);
  for (const SqlValue& value : std::vector<SqlValue>{
           kMost, kLeast, std::int64_t{9'007'199'254'740'993}, std::int64_t{0}, 0.1, -0.0, 1e308,
           5e-324, 1.0 / 3, 2.5, 1e15, std::string(), std::string("it's \"x\" \\ \xE2\x9C\xA8"),
           std::string("7"), std::string("a\nb\t"), SqlValue{}}) {
    both.query("select :v as v", {{"v", value}});
    CHECK(must(both.query_postgres({"select :v as v", {{"v", value}}})).rows.at(0).at(0) == value);
  }
  both.write(insert(kMost, "x", 2.0));
  both.write(insert(kLeast, std::int64_t{7}, std::int64_t{3}));
  both.write(insert(0, {}, {}));
  both.write(insert(1, 1.5, 0.1));
  CHECK(both.query("select id, x, y from v_t order by id") ==
        "[{\"id\":-9223372036854775808,\"x\":\"7\",\"y\":3},{\"id\":0},"
        "{\"id\":1,\"x\":\"1.5\",\"y\":0.1},{\"id\":9223372036854775807,\"x\":\"x\",\"y\":2}]");
  CHECK(both.query("select count(*) as n, max(id) as most, min(x) as least, avg(y) as mean,"
                   " sum(y) as total from v_t where id > :id",
                   {{"id", std::int64_t{-5}}}) ==
        "[{\"n\":3,\"most\":9223372036854775807,\"least\":\"1.5\",\"mean\":1.05,\"total\":2.1}]");
}

TEST_CASE("what aggregates give is a number as in SQLite") {
  Both both("v", kTables);
  for (std::int64_t i = 1; i <= 7; ++i) both.write(insert(i, "x", 0.5));
  CHECK(both.query("select sum(id) as s, avg(id) as a, count(*) as c from v_t") ==
        "[{\"s\":28,\"a\":4,\"c\":7}]");
  CHECK(both.query("select avg(id) as a from v_t where id < 3") == "[{\"a\":1.5}]");
  both.query("select avg(id) as a from v_t where id in (1, 2, 5)");
  CHECK(both.query("select sum(id) as s from v_t where id > 100") == "[{}]");
  CHECK(both.query("select round(avg(id), 2) as r from v_t where id in (1, 2, 5)") ==
        "[{\"r\":2.67}]");
  both.query(
      "select id / 2 as half, id % 3 as rest, id * 0.5 as f, -id as minus from v_t"
      " order by id");
  CHECK(both.query("select id > 3 as big, y = 0.5 as half, x is null as none from v_t"
                   " where id in (3, 4) order by id") ==
        "[{\"big\":0,\"half\":1,\"none\":0},{\"big\":1,\"half\":1,\"none\":0}]");
  CHECK(both.query("select round(sum(id), 1) as r, min(x) as least, count(*) as n from v_t") ==
        "[{\"r\":28,\"least\":\"x\",\"n\":7}]");
  both.query("select coalesce(sum(y), 0) as total, max(y) as most from v_t where id = 0");
}

TEST_CASE("parameters fit where they stand, whatever kind they are") {
  Both both("v", kTables);
  both.write(insert(1, "1", 0.5));
  both.write(insert(2, "two", 2.0));
  both.write(insert(5'000'000'000, "big", {}));
  const std::int64_t one = 1, big = 5'000'000'000;
  // a bigint beside a small constant; a text beside a number; a fraction beside a bigint
  CHECK(both.query("select id + :n as n from v_t where id = :id", {{"n", big}, {"id", one}}) ==
        "[{\"n\":5000000001}]");
  CHECK(both.query("select coalesce(:n, 0) as n", {{"n", big}}) == "[{\"n\":5000000000}]");
  CHECK(both.query("select id from v_t where x = :x", {{"x", one}}) == "[{\"id\":1}]");
  CHECK(both.query("select id from v_t where id = :id", {{"id", "2"}}) == "[{\"id\":2}]");
  CHECK(both.query("select id from v_t where id > :id order by id limit :n",
                   {{"id", 1.5}, {"n", one}}) == "[{\"id\":2}]");
  CHECK(both.query("select id from v_t where y < :y", {{"y", std::int64_t{1}}}) == "[{\"id\":1}]");
  CHECK(both.query("select substr(x, :from, :n) as s from v_t where id = 2",
                   {{"from", std::int64_t{2}}, {"n", std::int64_t{2}}}) == "[{\"s\":\"wo\"}]");
  CHECK(both.query("select x || :tail as s from v_t where id = 1", {{"tail", std::int64_t{9}}}) ==
        "[{\"s\":\"19\"}]");
  // names that stand several times, NULL among them
  const char* maybe = "select id from v_t where (:id is null or id = :id) order by id";
  CHECK(both.query(maybe, {{"id", SqlValue{}}}) == "[{\"id\":1},{\"id\":2},{\"id\":5000000000}]");
  CHECK(both.query(maybe, {{"id", std::int64_t{2}}}) == "[{\"id\":2}]");
  const char* named = "select id from v_t where (:x is null or x = :x) order by id";
  CHECK(both.query(named, {{"x", SqlValue{}}}) == "[{\"id\":1},{\"id\":2},{\"id\":5000000000}]");
  CHECK(both.query(named, {{"x", "two"}}) == "[{\"id\":2}]");
  CHECK(both.query("select coalesce(x, :none) as x, count(*) as n from v_t"
                   " group by coalesce(x, :none) order by 1",
                   {{"none", "-"}}) ==
        "[{\"x\":\"1\",\"n\":1},{\"x\":\"big\",\"n\":1},{\"x\":\"two\",\"n\":1}]");
  CHECK(both.query("select case when :a then 'yes' else 'no' end as x", {{"a", one}}) ==
        "[{\"x\":\"yes\"}]");
  CHECK(both.query("select id from v_t where id in (:a, :b) order by id",
                   {{"a", one}, {"b", std::int64_t{2}}}) == "[{\"id\":1},{\"id\":2}]");
  CHECK(both.query("select id from v_t where x like :x order by id", {{"x", "t%"}}) ==
        "[{\"id\":2}]");
}

TEST_CASE("a write stores what it is given, or is refused; nothing is rounded") {
  Both both("v", kTables);
  both.write(insert(1, "a", 0.25));
  both.write(
      {"insert into v_t (id, x) values (:id, :x), (:id + 1, :x) on conflict (id) do update"
       " set x = excluded.x, y = v_t.y + :y",
       {{"id", std::int64_t{1}}, {"x", "b"}, {"y", 0.5}}});
  both.write({"update v_t set y = id * :f, x = :x where id = :id",
              {{"f", 1.5}, {"x", SqlValue{}}, {"id", std::int64_t{2}}}});
  CHECK(both.query("select id, x, y from v_t order by id") ==
        "[{\"id\":1,\"x\":\"b\",\"y\":0.75},{\"id\":2,\"y\":3}]");
  const auto rounded =
      write(both.postgres(), "v", {"insert into v_t (id) values (:id)", {{"id", 3.5}}});
  REQUIRE_FALSE(rounded.ok());
  CHECK_THAT(rounded.error().message, Catch::Contains("3.5"));
  const auto set =
      write(both.postgres(), "v", {"update v_t set id = :id where id = 1", {{"id", 3.5}}});
  REQUIRE_FALSE(set.ok());
  const std::string nul("a\0b", 3);
  CHECK_THAT(both.why({"select :x as x", {{"x", nul}}}), Catch::Contains("NUL"));
  CHECK_THAT(both.why({"select :x as x", {{"x", "\xff\xfe"}}}), Catch::Contains("UTF8"));
}

TEST_CASE("what only PostgreSQL has comes out as texts and numbers") {
  Both both("v", kTables);
  const auto one = [&](const std::string& expression) {
    return must(both.query_postgres({"select " + expression + " as v", {}})).rows.at(0).at(0);
  };
  CHECK(one("true") == SqlValue{std::int64_t{1}});
  CHECK(one("1 > 2") == SqlValue{std::int64_t{0}});
  CHECK(one("timestamptz '2026-11-21 22:10:02.5+01'") == SqlValue{"2026-11-21T21:10:02.500000Z"});
  CHECK(one("timestamptz '2026-11-21 22:10:02+00'") == SqlValue{"2026-11-21T22:10:02.000000Z"});
  CHECK(one("timestamptz '2026-11-21 22:10:02.123456+00'") ==
        SqlValue{"2026-11-21T22:10:02.123456Z"});
  CHECK(std::get<std::string>(one("now()")).size() == 27);
  CHECK(one("timestamptz 'infinity'") == SqlValue{"infinity"});
  CHECK(one("jsonb '{\"b\": 1, \"a\": [true, null]}'") ==
        SqlValue{"{\"a\": [true, null], \"b\": 1}"});
  CHECK(one("12345678901234567890.0 / 10") == SqlValue{std::int64_t{1234567890123456789}});
  CHECK(one("numeric '5.00'") == SqlValue{std::int64_t{5}});
  CHECK(one("numeric '-0.5'") == SqlValue{-0.5});
  CHECK(one("numeric 'NaN'") == SqlValue{});
  CHECK(one("smallint '3'") == SqlValue{std::int64_t{3}});
  CHECK(one("real '0.1'") == SqlValue{0.1});
  CHECK(one("null") == SqlValue{});
  CHECK_THAT(both.why({"select 9223372036854775807 + 1.0 as total", {}}),
             Catch::Contains("total") && Catch::Contains("64 bits"));
  CHECK_THAT(both.why({"select '\\x00'::bytea as raw", {}}),
             Catch::Contains("raw") && Catch::Contains("blob"));
  CHECK_THAT(both.why({"select 1, 2", {}}), Catch::Contains("column 1 has no name"));
}

TEST_CASE("errors say what, where and how, in the words of who wrote the statement") {
  Both both("v", kTables);
  CHECK_THAT(both.why({"select id,\n  nothing\n from v_t", {}}),
             Catch::Contains("\"nothing\"") && Catch::Contains("line 2, column 3"));
  // Parameters are longer than what stands in their place.
  CHECK_THAT(both.why({"select :long_name as a, :other as \xC3\xA9, nothing from v_t",
                       {{"long_name", "x"}, {"other", "y"}}}),
             Catch::Contains("line 1, column 38"));
  CHECK_THAT(both.why({"select id frm v_t where", {}}), Catch::Contains("syntax error"));
  CHECK_THAT(both.why({"select :a as a", {}}), Catch::Contains(":a is not given"));
  CHECK_THAT(both.why({"select 1 as a", {{"b", {}}}}), Catch::Contains("no parameter :b"));
  must(both.query_postgres({"select :a as a", {{"a", "x"}}}));
  CHECK_THAT(both.why({"select :a as a", {{"b", "x"}}}), Catch::Contains(":a is not given"));
  CHECK_THAT(both.why({"delete from v_t", {}}), Catch::Contains("ctx:exec"));
  CHECK_THAT(both.why({"with gone as (delete from v_t returning id) select id from gone", {}}),
             Catch::Contains("ctx:exec"));
  CHECK_THAT(both.why({"select 1 / 0 as x", {}}), Catch::Contains("division by zero"));
  both.write(insert(1, "a", 1.0));
  CHECK_THAT(both.refused(insert(1, "a", 1.0)).second, Catch::Contains("duplicate key"));
  const auto slow =
      both.query_postgres({"with recursive n (i) as (select 1 union all select i + 1 from n) "
                           "select count(*) as c from n",
                           {}});
  REQUIRE_FALSE(slow.ok());
  CHECK(slow.error().code == Error::Code::exhausted);
  CHECK_THAT(slow.error().message, Catch::Contains("1 s"));
  const auto large =
      both.query_postgres({"select repeat('x', 1000000) as x from generate_series(1, 40)", {}});
  REQUIRE_FALSE(large.ok());
  CHECK(large.error().code == Error::Code::exhausted);
  CHECK_THAT(large.error().message, Catch::Contains("16 MB"));
  CHECK(both.query("select id from v_t") == "[{\"id\":1}]");
}

TEST_CASE("a statement is checked on both databases without being run") {
  Both both("v", kTables);
  for (const char* text :
       {"delete from v_t where id = :id", "insert into v_t (id, x) values (:id, :x)",
        "select :a is null as a", "select abs(:n) as n", "select :x as x",
        "select id from v_t where (:id is null or id = :id)",
        "select coalesce(x, :none) as x from v_t group by coalesce(x, :none)",
        "update v_t set y = y + :y where x like :x"}) {
    both.check(text);
  }
  CHECK(both.query("select count(*) as n from v_t") == "[{\"n\":0}]");
  for (const char* text : {"select nothing from v_t", "select * from v_missing", "x",
                           "select id from v_t where", "insert into v_t (id, x) values (1)"}) {
    CAPTURE(text);
    const auto checked = PluginSql::of(both.postgres(), "v").check(text);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code == Error::Code::invalid);
  }
}

TEST_CASE("a table that gets a column does not break statements that were prepared") {
  Both both("v", kTables);
  both.write(insert(1, "a", 1.0));
  const char* all = "select * from v_t";
  CHECK(both.query(all) == "[{\"id\":1,\"x\":\"a\",\"y\":1}]");
  std::vector<std::string> more = kTables;
  more.push_back("alter table v_t add column z text default 'new'");
  both.database().migrate("v", more);
  CHECK(json_of(must(both.query_postgres({all, {}}))) ==
        "[{\"id\":1,\"x\":\"a\",\"y\":1,\"z\":\"new\"}]");
}

TEST_CASE("statements that are never repeated do not pile up on the server") {
  Both both("v", kTables);
  const auto prepared = [&] {
    return both.postgres().run_once(
        "select count(*) from pg_prepared_statements where name like"
        " 'plugin%'");
  };
  for (int i = 0; i < 600; ++i) {
    const std::string id = std::to_string(i);
    must(both.query_postgres({"select " + id + " as n", {}}));
    must(write(both.postgres(), "v", {"insert into v_t (id) values (" + id + ")", {}}));
  }
  CHECK(postgres::Rows(prepared()).integer(0, 0) <= 260);
  CHECK(json_of(must(both.query_postgres({"select count(*) as n from v_t", {}}))) ==
        "[{\"n\":600}]");
}

TEST_CASE("a connection that is cut is the server's failure, not the script's") {
  Both both("v", kTables);
  must(both.query_postgres({"select 1 as x", {}}));
  both.database().as_superuser()->session().run(
      "select pg_terminate_backend(" + std::to_string(both.postgres().backend_pid()) + ")");
  REQUIRE_THROWS_AS((void)both.query_postgres({"select 1 as x", {}}), postgres::Failure);
  CHECK_FALSE(both.postgres().usable());
}

}  // namespace
}  // namespace host::postgres_tests
