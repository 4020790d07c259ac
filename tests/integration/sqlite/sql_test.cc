// Plugin SQL on the embedded adapter: walls, values, limits, neighbours.

#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

struct Fixture {
  explicit Fixture(bool threads = true) : d(folder.path(), threads) {
    must(d.store().open_deployment(4));
    must(d.log().ensure_topics(std::vector<ports::TopicSettings>{{.name = "o", .partitions = 1}}));
    must(d.store().migrate("a", {"create table a_t (id bigint primary key, x text, y double "
                                 "precision)"}));
    must(d.store().migrate("a_b", {"create table a_b_t (id bigint primary key)"}));
    image = d.claim(shard);
  }
  CommitResult run(std::vector<SqlStatement> statements) {
    ShardCommit commit = next_commit(shard, image);
    commit.states = {{"k", {"written", 1, {}}}};
    commit.units = {{"m", std::move(statements)}};
    CommitResult result = d.commit(std::move(commit));
    if (result.status == Status::committed) ++image.commit_no;
    return result;
  }
  void run_ok(std::vector<SqlStatement> statements) {
    const CommitResult result = run(std::move(statements));
    INFO(result.error.to_string());
    REQUIRE(result.status == Status::committed);
  }
  SqlRows rows(const std::string& text, SqlParameters parameters = {}) {
    return must(d.query("a", {text, std::move(parameters)}));
  }
  std::string why(const std::string& text, SqlParameters parameters = {}) {
    const auto result = d.query("a", {text, std::move(parameters)});
    REQUIRE_FALSE(result.ok());
    return result.error().to_string();
  }

  TemporaryFolder folder;
  Deployment d;
  ShardRef shard{"a", 0};
  ports::ShardImage image;
};

const char* const kEndless = "with recursive n(i) as (select 1 union all select i + 1 from n) ";

TEST_CASE("no statement of a plugin gets out of its tables") {
  const bool threads = GENERATE(true, false);
  Fixture f(threads);
  for (const char* text : {
           "select * from a_b_t",
           "select count(*) from a_b_t",
           "select 1 from A_B_T",
           "select * from main.a_b_t",
           "select (select count(*) from a_b_t)",
           "with x as (select * from a_b_t) select count(*) from x",
           "select * from a_t where exists (select 1 from a_b_t)",
           "insert into a_t (id) select id from a_b_t",
           "delete from a_b_t",
           "update a_t set x = (select id from a_b_t)",
           "update a_b_t set id = 1",
           "select * from host_state",
           "select count(*) from host_meta",
           "delete from host_shard",
           "update host_shard set epoch = 0",
           "insert into host_plugin_table (name, plugin) values ('x', 'a')",
           "with host_meta(x) as (select 1) update host_shard set epoch = 0",
           "select * from sqlite_master",
           "select count(*) from sqlite_schema",
           "select * from sqlite_temp_master",
           "select * from sqlite_sequence",
           "select * from pragma_table_info('host_state')",
           "select count(*) from pragma_database_list",
           "select * from json_each('[1]')",
           "select * from dbstat",
           "pragma table_info(a_t)",
           "pragma query_only = 0",
           "pragma user_version = 9",
           "attach ':memory:' as other",
           "detach main",
           "vacuum",
           "vacuum into '/tmp/x'",
           "reindex",
           "analyze",
           "begin",
           "commit",
           "end",
           "rollback",
           "savepoint s",
           "release s",
           "rollback to s",
           "create table a_new (id bigint)",
           "create temp table x (id bigint)",
           "create view a_v as select 1",
           "create trigger a_g after insert on a_t begin select 1; end",
           "create index a_i on a_t (x)",
           "drop table a_t",
           "alter table a_t rename to a_u",
           "create virtual table a_v using fts5(x)",
           "explain select 1",
           "values (1)",
           "replace into a_t (id) values (1)",
           "select load_extension('x')",
           "select 1; select 2",
           "select 1; drop table a_t",
           "-- nothing",
           "",
           ";",
           "/* */",
           "select id from a_t where id = ?",
           "select id from a_t where id = @id",
           "select id from a_t where id = $id",
           "select id from a_t where id = ?1",
       }) {
    CAPTURE(text);
    const auto queried = f.d.query("a", {text, {}});
    REQUIRE_FALSE(queried.ok());
    CHECK(queried.error().code == Error::Code::invalid);
    CHECK_FALSE(f.d.store().check_sql("a", text).ok());
    const CommitResult written = f.run({{"insert into a_t (id) values (77)", {}}, {text, {}}});
    REQUIRE(written.status == Status::sql_failed);
    CHECK(written.failed.at(0).second.code == Error::Code::invalid);
  }
  CHECK(f.rows("select id from a_t").rows.empty());
  CHECK_FALSE(f.d.state(f.shard, "k").has_value());
  f.run_ok({{"insert into a_t (id) values (1)", {}}});
}

TEST_CASE("what a plugin may say works") {
  Fixture f;
  f.run_ok({{"insert into a_t (id, x) values (1, 'one'), (2, 'two');", {}},
            {"/* again */ insert into a_t (id, x) values (1, 'uno')"
             " on conflict (id) do update set x = excluded.x -- comment",
             {}},
            {"with gone as (select 2 as id) delete from a_t where id in (select id from gone)", {}},
            {"update a_t set y = 0.5 where id = 1 returning id", {}},
            {"select 1", {}}});
  CHECK(f.rows("select count(*) from a_t").rows.at(0).at(0) == SqlValue{std::int64_t{1}});
  CHECK(f.rows("with c as (select 1 as one) select count(*) from c").rows.size() == 1);
  CHECK(f.rows("with recursive n(i) as (select 1 union all select i + 1 from n where i < 5)"
               " select sum(i) from n")
            .rows.at(0)
            .at(0) == SqlValue{std::int64_t{15}});
  CHECK(f.rows("select x, row_number() over (order by id) from main.a_t as t where t.x like 'u%'")
            .rows.size() == 1);
}

TEST_CASE("values go in and out exactly") {
  Fixture f;
  const std::string nul("a\0b", 3);
  const std::vector<SqlValue> values{std::int64_t{INT64_MAX},
                                     std::int64_t{INT64_MIN},
                                     std::int64_t{9'007'199'254'740'993},
                                     0.1,
                                     -0.0,
                                     1e308,
                                     std::string(),
                                     nul,
                                     std::string("\xE2\x9C\xA8"),
                                     SqlValue{}};
  for (const SqlValue& value : values) {
    CHECK(f.rows("select :v as v", {{"v", value}}).rows.at(0).at(0) == value);
  }
  f.run_ok({{"insert into a_t (id, x, y) values (:id, :x, :y)",
             {{"id", std::int64_t{INT64_MAX}}, {"x", nul}, {"y", std::int64_t{2}}}}});
  const SqlRows rows = f.rows("select id, x, y, length(x) from a_t");
  CHECK(rows.columns == std::vector<std::string>{"id", "x", "y", "length(x)"});
  CHECK(rows.rows.at(0).at(0) == SqlValue{std::int64_t{INT64_MAX}});
  CHECK(rows.rows.at(0).at(1) == SqlValue{nul});
  CHECK(rows.rows.at(0).at(2) == SqlValue{2.0});
  CHECK(f.rows("select sum(y), max(id), count(*) from a_t").rows.at(0).at(1) ==
        SqlValue{std::int64_t{INT64_MAX}});
  CHECK_THAT(f.why("select x'00' as raw"), Catch::Contains("raw") && Catch::Contains("blob"));
}

TEST_CASE("parameters that are missing or not used are named") {
  Fixture f;
  CHECK_THAT(f.why("select :one", {}), Catch::Contains(":one is not given"));
  CHECK_THAT(f.why("select 1", {{"two", std::int64_t{2}}}), Catch::Contains("no parameter :two"));
  CHECK_THAT(f.why("select ?"), Catch::Contains("has no name"));
  CHECK_THAT(f.why("select a_zz from a_t"), Catch::Contains("a_zz"));
}

TEST_CASE("a statement that does not end is stopped") {
  Fixture f;
  const auto result = f.d.query("a", {std::string(kEndless) + "select count(*) from n", {}});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Error::Code::exhausted);
  CHECK_THAT(result.error().message, Catch::Contains("50 ms"));
  CHECK(f.rows("select 1").rows.size() == 1);
}

TEST_CASE("an answer that is too large is refused") {
  Fixture f;
  const auto result =
      f.d.query("a", {"with recursive n(i) as (select 1 union all select i + 1 from n where i < 40)"
                      " select printf('%1000000d', i) from n",
                      {}});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Error::Code::exhausted);
}

TEST_CASE("a write that ends the whole transaction fails alone") {
  const bool threads = GENERATE(true, false);
  Fixture f(threads);
  f.run_ok({{"insert into a_t (id) values (1)", {}}});
  const ShardRef other{"a_b", 0};
  auto neighbour = f.d.claim(other);
  const std::string endless = std::string(kEndless) + "insert into a_t (id) select i + 1000 from n";
  for (const std::string& bad :
       {endless, std::string("insert or rollback into a_t (id) values (1)")}) {
    CAPTURE(bad);
    ShardCommit commit = next_commit(f.shard, f.image);
    commit.states = {{"k", {"never", 1, {}}}};
    commit.outgoing.push_back({f.image.epoch, 1, record("o", 0, "never")});
    commit.units = {{"good", {{"insert into a_t (id) values (2)", {}}}},
                    {"bad", {{bad, {}, "plugins/a.lua", 7}}},
                    {"also good", {{"insert into a_t (id) values (3)", {}}}},
                    {"also bad", {{"insert into a_t (id) values (1)", {}}}}};
    ShardCommit beside = next_commit(other, neighbour);
    beside.states = {{"k", {std::to_string(neighbour.commit_no), 1, {}}}};
    Answer<CommitResult> mine, theirs;
    Answer<Result<std::vector<Result<Offset>>>> appended;
    f.d.log().append({record("o", 0, "beside")}, f.d.executor(), appended.taker());
    f.d.store().commit(std::make_shared<ShardCommit>(commit), f.d.executor(), mine.taker());
    f.d.store().commit(std::make_shared<ShardCommit>(beside), f.d.executor(), theirs.taker());
    const CommitResult& result = await(f.d, mine);
    REQUIRE(result.status == Status::sql_failed);
    std::vector<std::size_t> failed;
    for (const auto& [unit, error] : result.failed) failed.push_back(unit);
    // What used up its time keeps the rest for the next commit.
    CHECK(failed ==
          (bad == endless ? std::vector<std::size_t>{1} : std::vector<std::size_t>{1, 3}));
    CHECK(result.failed[0].second.file == "plugins/a.lua");
    CHECK(result.failed[0].second.line == 7);
    CHECK(await(f.d, theirs).status == Status::committed);
    CHECK(must(await(f.d, appended)).at(0).ok());
    CHECK(f.d.state(other, "k") == std::to_string(neighbour.commit_no));
    ++neighbour.commit_no;
  }
  CHECK(f.rows("select id from a_t").rows.size() == 1);
  CHECK(f.d.state(f.shard, "k") == "written");
  CHECK(contract::payloads(contract::read_all(f.d, "o", 0)) == std::vector<std::string>{"beside"});
  CHECK(contract::range(f.d, "o", 0).end == 3);  // two beside, one of read_all
  CHECK(f.d.store().health() == "");
}

TEST_CASE("statements without end hold up other commits one at a time, not all together") {
  Fixture f;
  const std::string endless = std::string(kEndless) + "insert into a_t (id) select i + 1000 from n";
  ShardCommit commit = next_commit(f.shard, f.image);
  for (int i = 0; i < 5; ++i) commit.units.push_back({std::to_string(i), {{endless, {}}}});
  commit.units.push_back({"good", {{"insert into a_t (id) values (1)", {}}}});
  for (int left = 5; left > 0; --left) {
    const CommitResult result = f.d.commit(commit);
    REQUIRE(result.status == Status::sql_failed);
    REQUIRE(result.failed.size() == 1);
    CHECK(result.failed[0].first == 0);
    CHECK(result.failed[0].second.code == Error::Code::exhausted);
    commit.units.erase(commit.units.begin());
  }
  CHECK(f.d.commit(commit).status == Status::committed);
  CHECK(f.rows("select id from a_t").rows.size() == 1);
}

TEST_CASE("tables belong to who made them, whatever their prefix") {
  Fixture f;
  must(f.d.store().migrate("a", {"create table a_t (id bigint primary key, x text, y double "
                                 "precision)",
                                 "create table a_b_u (id bigint)"}));
  CHECK(f.rows("select * from a_b_u").rows.empty());
  CHECK_FALSE(f.d.query("a_b", {"select * from a_b_u", {}}).ok());
  for (const char* taken :
       {"create table a_b_u (id bigint)", "create table if not exists a_b_u (id bigint)",
        "alter table a_b_u add column z text", "create index a_b_i on a_b_u (id)"}) {
    CAPTURE(taken);
    const auto refused =
        f.d.store().migrate("a_b", {"create table a_b_t (id bigint primary key)", taken});
    REQUIRE_FALSE(refused.ok());
    CHECK_THAT(refused.error().message, Catch::Contains("belongs to plugin a"));
  }
  f.d.reopen();
  CHECK_FALSE(f.d.query("a_b", {"select * from a_b_u", {}}).ok());
  CHECK_FALSE(
      f.d.store().migrate("host", {"create table if not exists host_state (id bigint)"}).ok());
}

TEST_CASE("a migration only adds, with types that both databases have") {
  Fixture f;
  must(
      f.d.store().migrate("m", {"CREATE TABLE m_t (id BIGINT PRIMARY KEY, -- the id\n name text not"
                                " null default 'x;y')",
                                "create unique index if not exists m_i on m_t (name);"
                                " alter table m_t add column weight double precision;"}));
  f.d.reopen();
  CHECK(must(f.d.query("m", {"select id, name, weight from m_t", {}})).rows.empty());
  int n = 0;
  for (const char* bad : {"create table n_t (id integer)",
                          "create table n_t (id varchar(10))",
                          "create table n_t (id)",
                          "create table n_t (id bigint) without rowid",
                          "create table n_t as select 1 as x",
                          "create table \"n_t\" (id bigint)",
                          "create table other (id bigint)",
                          "create table main.n_t (id bigint)",
                          "create temp table n_t (id bigint)",
                          "create view n_v as select 1",
                          "create trigger n_g after insert on n_t begin select 1; end",
                          "alter table n_t drop column id",
                          "alter table n_t rename to n_u",
                          "drop table n_t",
                          "insert into n_t (id) values (1)",
                          "create index other on n_t (id)",
                          "pragma user_version = 7",
                          "create table n_a (id bigint); drop table n_a",
                          "create index n_i on a_t (id)",
                          "",
                          "  -- x",
                          "create virtual table n_v using fts5(x)",
                          "create table n_t (id bigint",
                          "commit"}) {
    CAPTURE(bad, ++n);
    const auto refused = f.d.store().migrate("n", {bad});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Error::Code::invalid);
    CHECK_THAT(refused.error().message, Catch::StartsWith("migration 1 of n"));
    CHECK_FALSE(f.d.store().check_sql("n", "select * from n_t").ok());
  }
}

}  // namespace
}  // namespace host::sqlite_tests
