// Tables of plugins on PostgreSQL: additive, once, recorded, one process at a time.

#include <catch2/catch.hpp>
#include <thread>

#include "tests/integration/postgres/sql_support.h"

namespace host::postgres_tests {
namespace {

using postgres::apply_migrations;

struct World {
  Result<void> migrate(const std::vector<std::string>& tables) {
    return apply_migrations(*database.as_plugin("owls"), "owls", tables);
  }
  std::string text(const std::string& sql) {
    const auto result = database.as_superuser()->run_once(sql.c_str(), {}, false);
    return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
  }
  PluginDatabase database;
};

const std::vector<std::string> kTables{
    "create table owls_letters (id bigint primary key, text text, weight double precision)"};

TEST_CASE("migrations run once, in order, and are recorded by the plugin's own role") {
  World w;
  std::vector<std::string> tables = kTables;
  must(w.migrate(tables));
  must(w.migrate(tables));
  tables.push_back(
      "create index owls_by_text on owls_letters (text) where weight > 1;"
      " alter table owls_letters add column note text not null default 'a,b;c';");
  must(w.migrate(tables));
  must(w.migrate(tables));
  CHECK(w.text("select string_agg(number::text, ' ' order by number) from"
               " plugin_owls.host_migration") == "1 2");
  CHECK(w.text("select tableowner from pg_tables where tablename = 'owls_letters'") ==
        postgres::role_of(w.database.roles().host, "owls"));
}

TEST_CASE("texts sort as bytes, whatever the database's language") {
  World w;
  must(
      w.migrate({"create table owls_t (a text, \"Text\" text not null, n bigint,"
                 " b text collate \"C\", primary key (a))",
                 "alter table owls_t add text text"}));
  CHECK(w.text("select string_agg(attname || '=' || collname, ' ' order by attname collate \"C\")"
               " from pg_attribute a join pg_collation c on c.oid = attcollation where attrelid ="
               " 'plugin_owls.owls_t'::regclass and attnum > 0") == "Text=C a=C b=C text=C");
}

TEST_CASE("a migration that is not allowed changes nothing and is named") {
  World w;
  must(w.migrate(kTables));
  for (const char* bad :
       {"create table letters (id bigint)", "drop table owls_letters", "create table owls_bad (",
        "delete from owls_letters", "create table toads_ponds (id bigint)",
        "create table owls_bad (id bigint default pg_sleep(60))",
        "create table owls_bad (id bigint check (pg_sleep(60) is null))",
        "create table owls_bad (id bigint references host_shard (number))",
        "create table owls_bad (id bigint references plugin_toads.toads_ponds)",
        "create table owls_bad (id bigint) inherits (owls_letters)",
        "create table owls_bad as select 1", "create table owls_bad (id bigint, id bigint)",
        "create index owls_i on owls_missing (id)", "alter table owls_missing add column a text",
        "create table owls_bad (id bigint default $$1$$)", ""}) {
    std::vector<std::string> tables = kTables;
    tables.push_back("create table owls_more (id bigint)");
    tables.push_back(bad);
    CAPTURE(bad);
    const auto result = w.migrate(tables);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == Error::Code::invalid);
    CHECK_THAT(result.error().message, Catch::StartsWith("migration 3 of owls: "));
    CHECK(w.text("select to_regclass('plugin_owls.owls_more') is null") == "t");
  }
  CHECK(w.text("select count(*) from plugin_owls.host_migration") == "1");
}

TEST_CASE("a recorded migration may not change") {
  World w;
  must(w.migrate(kTables));
  const auto result = w.migrate({"create table owls_letters (id bigint primary key)"});
  REQUIRE_FALSE(result.ok());
  CHECK_THAT(result.error().to_string(), Catch::Contains("migration 1 of owls has changed"));
}

TEST_CASE("processes that start together migrate one after the other") {
  World w;
  std::vector<std::string> tables = kTables;
  for (int i = 0; i < 5; ++i) {
    tables.push_back("create table owls_t" + std::to_string(i) + " (id bigint)");
  }
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 4; ++i) connections.push_back(w.database.as_plugin("owls"));
  std::vector<std::string> problems(connections.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        const auto done = apply_migrations(*connections[i], "owls", tables);
        if (!done) problems[i] = done.error().to_string();
      } catch (const postgres::Failure& failure) {
        problems[i] = failure.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) CHECK(problem == "");
  CHECK(w.text("select count(*) from plugin_owls.host_migration") == "6");
}

TEST_CASE("who cannot get the lock in time is told to try again") {
  World w;
  const auto holder = w.database.as_plugin("owls");
  postgres::Transaction open(*holder);
  holder->run_once("select pg_advisory_xact_lock(hashtextextended('host migrations of owls', 0))");
  postgres::Limits limits;
  limits.lock = std::chrono::milliseconds(50);
  const auto other =
      w.database.as(postgres::role_of(w.database.roles().host, "owls"), "plugin_owls", limits);
  try {
    (void)apply_migrations(*other, "owls", kTables);
    FAIL("the lock was not waited for");
  } catch (const postgres::Failure& failure) {
    CHECK(failure.is("55P03"));
    CHECK(postgres::is_environment(failure));
  }
}

}  // namespace
}  // namespace host::postgres_tests
