// What a hostile plugin tries: refused with a clear error, or unable to reach anything. On a real
// server, with the plugin's own role.

#include <catch2/catch.hpp>

#include "host/adapters/postgres/wall.h"
#include "tests/integration/postgres/sql_support.h"

namespace host::postgres_tests {
namespace {

struct World {
  World() {
    database.migrate("owls", {"create table owls_letters (id bigint primary key, text text)"});
    database.migrate("toads", {"create table toads_ponds (id bigint primary key)"});
    // As the host makes its tables: as its own role, in the plugins' schemas.
    const auto host = database.as_host();
    for (const char* table : {"plugin_owls.host_shard", "plugin_toads.host_shard", "host.meta"}) {
      host->session().run(std::string("create table ") + table + " (epoch bigint)");
      host->session().run(std::string("insert into ") + table + " values (7)");
    }
    must(write(*toads, "toads", {"insert into toads_ponds (id) values (1)", {}}));
  }
  long long count(const std::string& what) const {
    return database.as_superuser()->session().number("select count(*) from " + what);
  }

  PluginDatabase database;
  std::unique_ptr<Connection> owls = database.as_plugin("owls");
  std::unique_ptr<Connection> toads = database.as_plugin("toads");
};

TEST_CASE("a hostile statement is refused with a clear error and changes nothing") {
  World w;
  for (const char* text : {
           // transactions, roles, settings
           "commit",
           "rollback",
           "begin",
           "savepoint a",
           "set role postgres",
           "set session authorization postgres",
           "reset all",
           "select set_config('role', 'tester', false) as x",
           "select pg_catalog.set_config('statement_timeout', '0', false) as x",
           "select \"set_config\"('role', 'tester', false) as x",
           "select SET_CONFIG ('role', 'tester', false) as x",
           "select current_setting('data_directory') as x",
           // other kinds of statements
           "copy owls_letters to '/tmp/x'",
           "copy owls_letters from program 'id'",
           "do 'begin end'",
           "do $$ begin execute 'drop table owls_letters'; end $$",
           "drop table owls_letters",
           "create table owls_more (id bigint)",
           "truncate owls_letters",
           "alter role current_user superuser",
           "grant all on owls_letters to public",
           "listen x",
           "notify x",
           "lock table owls_letters",
           "vacuum",
           "explain analyze delete from owls_letters",
           "prepare x as select 1",
           "deallocate all",
           "discard all",
           "call x()",
           "values (1)",
           "table owls_letters",
           "show all",
           "select 1 as x into owls_copy",
           "with x as (select 1 as y) select y into temp owls_copy from x",
           // two statements, comments, quotes
           "select 1 as x; commit",
           "delete from owls_letters; delete from owls_letters",
           "select 1 as x /* /* */ ; commit -- */",
           "select 1 as x -- \r; commit",
           "select $$;$$ as x",
           "select $q$ ' $q$ as x",
           "select e'\\'; commit; --' as x",
           "select U&'\\0027' as x",
           "select U&\"d\\0061t\" as x",
           // time, other backends, locks
           "select pg_sleep(60) as x",
           "select pg_catalog . pg_sleep(60) as x",
           "select \"pg_sleep\"(60) as x",
           "select pg_terminate_backend(1) as x",
           "select pg_advisory_lock(1) as x",
           "select 1 as x from pg_stat_activity",
           // files, catalogs, large objects, other servers
           "select rolpassword from pg_authid",
           "select rolpassword from pg_catalog.pg_authid",
           "select passwd from pg_shadow",
           "select table_name from information_schema.tables",
           "select lo_import('/etc/passwd') as x",
           "select lo_create(0) as x",
           "select lo_export(1, '/tmp/x') as x",
           "select pg_read_file('/etc/passwd') as x",
           "select pg_ls_dir('/') as x",
           "select * from dblink('dbname=postgres', 'select 1') as t (x int)",
           "select dblink_connect('dbname=postgres') as x",
           // texts that would be run
           "select query_to_xml('select pg_sleep(60)', true, true, '') as x",
           "select database_to_xml(true, true, '') as x",
           "select * from ts_stat('select pg_sleep(60)')",
           // other plugins, the host
           "select id from toads_ponds",
           "select id from plugin_toads.toads_ponds",
           "select id from \"plugin_toads\".toads_ponds",
           "insert into plugin_toads.toads_ponds (id) values (2)",
           "with x as (delete from plugin_toads.toads_ponds returning id) select id from x",
           "select epoch from host_shard",
           "select epoch from \"host_shard\"",
           "select epoch from plugin_owls.host_shard",
           "update host_shard set epoch = 99",
           "delete from host_shard",
           "select epoch from host.meta",
           "select s from host_shard s",
       }) {
    CAPTURE(text);
    const auto answered = query(*w.owls, "owls", {text, {}});
    REQUIRE_FALSE(answered.ok());
    CHECK(answered.error().code == Error::Code::invalid);
    CHECK_FALSE(answered.error().message.empty());
    const auto written = write(*w.owls, "owls", {text, {}});
    REQUIRE_FALSE(written.ok());
    CHECK(written.error().code == Error::Code::invalid);
    CHECK_FALSE(PluginSql::of(*w.owls, "owls").check(text).ok());
    REQUIRE(w.owls->usable());
    CHECK_FALSE(w.owls->in_transaction());
  }
  CHECK(w.count("plugin_toads.toads_ponds") == 1);
  CHECK(w.count("plugin_owls.host_shard where epoch = 7") == 1);
  CHECK(w.count("pg_largeobject_metadata") == 0);
  CHECK(w.count("pg_class where relname = 'owls_copy'") == 0);
  must(query(*w.owls, "owls", {"select id from owls_letters", {}}));
}

/// Past the checks of texts, as if they had a hole: straight to the server.
std::string bare(Connection& db, const std::string& text) {
  try {
    db.run_once(text.c_str());
    return "";
  } catch (const postgres::Failure& failure) {
    return failure.state();
  }
}

TEST_CASE("the role alone keeps a plugin in its schema") {
  World w;
  w.database.as_superuser()->session().run(
      "create table public.everybodys (id bigint); grant all on public.everybodys to public");
  for (const char* text : {
           "select id from plugin_toads.toads_ponds",
           "insert into plugin_toads.toads_ponds (id) values (2)",
           "drop table plugin_toads.toads_ponds",
           "select epoch from plugin_toads.host_shard",
           "select epoch from host.meta",
           "drop table host_shard",
           "alter table host_shard add column x text",
           "truncate host_shard",
           "drop schema plugin_owls cascade",
           "select id from public.everybodys",
           "create table public.mine (id bigint)",
           "create table host.mine (id bigint)",
           "create schema mine",
           "create temp table mine (id bigint)",
           "create role mine",
           "create database mine",
           "create extension dblink",
           "select rolpassword from pg_authid",
           "select passwd from pg_shadow",
           "select pg_read_file('/etc/passwd')",
           "select pg_ls_dir('/')",
           "select lo_import('/etc/passwd')",
           "copy owls_letters to '/tmp/host-wall-test'",
           "copy owls_letters from program 'id'",
           "set role tester",
           "set session authorization tester",
           "select set_config('role', 'tester', false)",
           "alter role current_user superuser",
           "select pg_terminate_backend((select min(pid) from pg_stat_activity where usename ="
           " 'tester'))",
       }) {
    CAPTURE(text);
    const std::string refused = bare(*w.owls, text);
    CHECK_FALSE(refused.empty());
  }
  // set_config of a role that one is a member of undoes SET ROLE: so there is none.
  for (const std::string& other :
       {w.database.roles().host, postgres::role_of(w.database.roles().host, "toads")}) {
    CHECK(bare(*w.owls, "select set_config('role', '" + other + "', false)") == "42501");
  }
  CHECK(w.count("plugin_toads.toads_ponds") == 1);
  CHECK(bare(*w.owls, "select epoch from host_shard") == "");  // its commits need it
}

TEST_CASE("another database of the server is closed to a plugin's role") {
  PluginDatabase one, other;
  const std::string role = postgres::role_of(one.roles().host, "owls");
  const postgres::Conninfo where = must(postgres::Conninfo::parse(other.database().url()))
                                       .with("user", role)
                                       .with("password", "secret of " + role);
  REQUIRE_THROWS_AS(Connection(where, postgres::Limits{}), postgres::Failure);
}

TEST_CASE("a role of its own is a wall, one for all is none, and is said to be none") {
  World w;
  CHECK(postgres::wall_problem(*w.owls, "owls") == "");
  CHECK_THAT(postgres::wall_problem(*w.database.as_superuser(), "owls"),
             Catch::Contains("tester, a superuser") && Catch::Contains("host db init"));
  CHECK_THAT(postgres::wall_problem(*w.database.as_host(), "owls"),
             Catch::Contains("other plugins' schemas"));
}

TEST_CASE("checks of texts hold a plugin where one role is for all") {
  World w;
  const auto all = w.database.as(w.database.roles().host, postgres::schema_of("owls"));
  for (const char* text :
       {"select id from plugin_toads.toads_ponds", "select id from \"plugin_toads\".toads_ponds",
        "select id from toads_ponds", "select epoch from host.meta", "select epoch from host_shard",
        "select plugin_toads . toads_ponds . id from toads_ponds"}) {
    CAPTURE(text);
    CHECK_FALSE(query(*all, "owls", {text, {}}).ok());
    CHECK_FALSE(write(*all, "owls", {text, {}}).ok());
  }
}

TEST_CASE("an error shows neither password nor address") {
  World w;
  for (const char* text : {"select nothing from owls_letters", "select id from toads_ponds",
                           "select 1 / 0 as x", "selekt"}) {
    const auto failed = query(*w.owls, "owls", {text, {}});
    REQUIRE_FALSE(failed.ok());
    for (const char* secret : {"secret", "127.0.0.1", "port", "password"}) {
      CHECK_THAT(failed.error().to_string(), !Catch::Contains(secret));
    }
  }
}

}  // namespace
}  // namespace host::postgres_tests
