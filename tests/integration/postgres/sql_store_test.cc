// SQL of plugins through the store: long answers, time, lost connections.
#include "tests/integration/postgres/deployment.h"

namespace host::postgres_tests {
namespace {

using Cursor = std::unique_ptr<ports::RowCursor>;

const ShardRef kShard{"owls", 1};
const char* const kEndless = "with recursive n (i) as (select 1 union all select i + 1 from n) ";

struct World {
  World() {
    must(host.store().migrate("owls", {"create table owls_t (id bigint primary key, x text)"}));
    image = host.claim(kShard);
  }
  CommitResult commit(std::vector<ports::CommitUnit> units) {
    ShardCommit next = next_commit(kShard, image, "harry", "written");
    next.units = std::move(units);
    const CommitResult result = host.commit(std::move(next));
    if (result.status == Status::committed) ++image.commit_no;
    return result;
  }
  void insert(int from, int to) {
    REQUIRE(commit({{"m",
                     {{"insert into owls_t (id, x) select i, repeat('x', 200) from"
                       " generate_series(:from, :to) as i",
                       {{"from", std::int64_t{from}}, {"to", std::int64_t{to}}}}}}})
                .status == Status::committed);
  }
  Result<SqlRows> query(const std::string& text) {
    Answer<Result<SqlRows>> answer;
    host.store().query("owls", {text, {}, "plugins/owls.lua", 7}, host.executor(), answer.taker());
    return await(host, answer);
  }
  Result<Cursor> rows(const std::string& text) {
    std::optional<Result<Cursor>> found;
    host.store().rows("owls", {text, {}, "plugins/owls.lua", 7}, host.executor(),
                      [&](Result<Cursor> answer) { found.emplace(std::move(answer)); });
    REQUIRE(host.pump([&] { return found.has_value(); }));
    return std::move(*found);
  }
  ports::RowsPage next(Cursor& cursor) {
    Answer<Result<ports::RowsPage>> answer;
    cursor->next(10'000, answer.taker());
    return must(await(host, answer));
  }
  long long ask(const std::string& sql) { return database.connect_here()->session().number(sql); }
  /// Ends every connection of the store.
  void cut() {
    database.connect_here()->session().run(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname ="
        " current_database() and pid <> pg_backend_pid()");
  }

  TestDatabase database;
  Deployment host{database};
  ShardImage image;
};

TEST_CASE("rows come page by page, as they were, and hold no transaction open", "[sql]") {
  World w;
  w.insert(1, 5000);  // 1 MB: more than is kept in memory
  Cursor cursor = must(w.rows("select id, x, null as empty from owls_t order by id"));
  CHECK(w.ask("select count(*) from pg_stat_activity where datname = current_database()"
              " and xact_start is not null and pid <> pg_backend_pid()") == 0);
  w.insert(5001, 6000);
  w.cut();  // what was found does not need the database any more
  std::int64_t expected = 0;
  int pages = 0;
  for (bool last = false; !last; ++pages) {
    const ports::RowsPage page = w.next(cursor);
    last = page.last;
    CHECK(page.rows.columns == std::vector<std::string>{"id", "x", "empty"});
    for (const auto& row : page.rows.rows) {
      REQUIRE(row[0] == SqlValue(++expected));
      REQUIRE(std::get<std::string>(row[1]).size() == 200);
      REQUIRE(row[2] == SqlValue());
    }
  }
  CHECK(expected == 5000);
  CHECK(pages > 50);
}

TEST_CASE("an answer without rows is one empty page", "[sql]") {
  World w;
  Cursor cursor = must(w.rows("select id from owls_t"));
  const ports::RowsPage page = w.next(cursor);
  CHECK(page.last);
  CHECK(page.rows.rows.empty());
  CHECK(page.rows.columns == std::vector<std::string>{"id"});
}

TEST_CASE("what takes too long to be found is stopped, with its place", "[sql]") {
  World w;
  const auto found = w.rows(std::string(kEndless) + "select count(*) as n from n");
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == Error::Code::exhausted);
  CHECK_THAT(found.error().to_string(),
             Catch::Contains("5 s") && Catch::StartsWith("plugins/owls.lua:7: "));
  const auto refused = w.rows("select nope from owls_t");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Error::Code::invalid);
  must(w.rows("select id from owls_t"));
}

TEST_CASE("a write that does not end fails alone, and what comes after it is tried again",
          "[sql]") {
  World w;
  const CommitResult result = w.commit(
      {{"good", {{"insert into owls_t (id) values (1)", {}}}},
       {"bad",
        {{std::string(kEndless) + "insert into owls_t (id) select i + 10 from n", {}, "a.lua", 7}}},
       {"after", {{"insert into owls_t (id) values (1)", {}}}}});
  REQUIRE(result.status == Status::sql_failed);
  REQUIRE(result.failed.size() == 1);
  CHECK(result.failed[0].first == 1);
  CHECK(result.failed[0].second.code == Error::Code::unavailable);  // a repeat may help
  CHECK(result.failed[0].second.file == "a.lua");
  CHECK_THAT(result.failed[0].second.message, Catch::Contains("1 s"));
  CHECK(w.ask("select count(*) from plugin_owls.owls_t") == 0);
  CHECK_FALSE(w.host.state(kShard, "harry"));
  w.insert(1, 1);
  CHECK(w.host.state(kShard, "harry") == "written");
}

// The whole commit had the time of one answer: what took longer was never committed.
TEST_CASE("a commit of many slow writes takes its time, each of them has its own", "[sql]") {
  World w;
  const auto admin = w.database.connect_here();
  admin->execute(
      "create function public.slow() returns trigger language plpgsql as $$"
      "begin perform pg_sleep(0.1); return new; end$$");
  admin->execute(
      "create trigger slow before insert on plugin_owls.owls_t"
      " for each row execute function public.slow()");
  w.host.options.limits.answer = std::chrono::seconds(4);
  w.host.reopen();
  w.image = w.host.claim(kShard);
  std::vector<ports::CommitUnit> units{{"m", {}}};
  for (std::int64_t id = 1; id <= 64; ++id) {
    units[0].sql.push_back({"insert into owls_t (id) values (:id)", {{"id", id}}});
  }
  CHECK(w.commit(units).status == Status::committed);
  CHECK(w.ask("select count(*) from plugin_owls.owls_t") == 64);
}

// It was taken for a statement that is too slow, and the message went to the dead letters at once.
TEST_CASE("a write that waits for a lock of another costs no message its attempt", "[sql]") {
  World w;
  w.insert(1, 1);
  const auto other = w.database.connect_here();
  other->run_once("begin");
  other->run_once("update plugin_owls.owls_t set x = 'theirs'");
  const std::vector<ports::CommitUnit> units{{"m", {{"update owls_t set x = 'ours'", {}}}}};
  const CommitResult waited = w.commit(units);
  CHECK(waited.status == Status::not_now);
  CHECK(waited.error.retryable);
  other->run_once("commit");
  CHECK(w.commit(units).status == Status::committed);
  CHECK(w.ask("select count(*) from plugin_owls.owls_t where x = 'ours'") == 1);
}

TEST_CASE("a table that gets a column costs no message its attempt", "[sql]") {
  World w;
  const std::vector<ports::CommitUnit> units{
      {"m",
       {{"insert into owls_t (id) select coalesce(max(id), 0) + 1 from owls_t returning *", {}}}}};
  REQUIRE(w.commit(units).status == Status::committed);
  must(w.host.store().migrate("owls", {"create table owls_t (id bigint primary key, x text)",
                                       "alter table owls_t add column y text"}));
  const CommitResult first = w.commit(units);
  REQUIRE(first.status == Status::not_now);
  CHECK(first.error.retryable);
  CHECK(w.commit(units).status == Status::committed);
  CHECK(w.ask("select count(*) from plugin_owls.owls_t") == 2);
}

TEST_CASE("a query whose connection was cut may be repeated", "[sql]") {
  World w;
  must(w.query("select id from owls_t"));
  w.cut();
  CHECK(eventually([&] {
    const auto again = w.query("select id from owls_t");
    if (!again) {
      CHECK(again.error().code == Error::Code::unavailable);
      CHECK(again.error().retryable);
    }
    return again.ok();
  }));
}

TEST_CASE("one role for all is said once a plugin", "[sql]") {
  World w;
  must(w.host.store().migrate("owls", {"create table owls_t (id bigint primary key, x text)"}));
  CHECK(w.host.logger()
            .find(ports::LogLevel::warn, "SQL of plugin owls runs as the database role tester")
            .size() == 1);
}

TEST_CASE("a store that is stopped refuses SQL, and is not waited for", "[sql]") {
  World w;
  w.insert(1, 5000);
  Cursor cursor = must(w.rows("select id, x from owls_t"));
  w.host.store().stop();
  for (const Error& error :
       {w.query("select id from owls_t").error(), w.rows("select id from owls_t").error(),
        w.host.store().check_sql("owls", "select id from owls_t").error()}) {
    CHECK(error.code == Error::Code::unavailable);
  }
  Answer<Result<ports::RowsPage>> answer;
  cursor->next(100, answer.taker());
  CHECK(await(w.host, answer).error().code == Error::Code::unavailable);
}

}  // namespace
}  // namespace host::postgres_tests
