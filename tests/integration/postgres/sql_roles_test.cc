// What `host db init` makes, on a real server.

#include <catch2/catch.hpp>

#include "host/adapters/postgres/schema.h"
#include "tests/integration/postgres/sql_support.h"

namespace host::postgres_tests {
namespace {

using postgres::init_roles;
using postgres::role_of;

std::optional<std::string> keeps(const std::string&) { return std::nullopt; }

std::string all(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

TEST_CASE("db init makes roles, schemas and grants, and says so; a second run makes nothing") {
  PluginDatabase database;
  const std::string host = database.roles().host;
  CHECK_THAT(all(database.made()), Catch::Contains("role " + host + ": made, password set") &&
                                       Catch::Contains("role " + host + "_owls: made") &&
                                       Catch::Contains("schema plugin_toads: made") &&
                                       !Catch::Contains("secret"));
  database.roles().password = keeps;
  const auto again = must(init_roles(*database.as_superuser(), database.roles()));
  CHECK_THAT(all(again), !Catch::Contains("made") && Catch::Contains("schema plugin_owls: there"));
  database.migrate("owls", {"create table owls_t (id bigint)"});  // the passwords still work
}

TEST_CASE("a plugin that comes later gets its role, and a new password replaces the old") {
  PluginDatabase database({"owls"});
  database.roles().plugins = {"owls", "cats"};
  must(init_roles(*database.as_superuser(), database.roles()));
  const auto cats = database.as(role_of(database.roles().host, "cats"), "plugin_cats");
  must(postgres::apply_migrations(*cats, "cats", {"create table cats_t (id bigint)"}));
  CHECK(postgres::wall_problem(*cats, "cats") == "");

  database.roles().password = [](const std::string&) {
    return std::optional<std::string>("another one");
  };
  must(init_roles(*database.as_superuser(), database.roles()));
  REQUIRE_THROWS_AS(database.as_plugin("owls"), postgres::Failure);
  const auto server = database.as_superuser();
  for (const char* what : {"drop owned by ", "drop role "}) {
    server->session().run(what + ("\"" + role_of(database.roles().host, "cats") + "\""));
  }
}

TEST_CASE("what one role made for all is handed over") {
  PluginDatabase database({"owls"});
  const std::string host = database.roles().host;
  {
    const auto one = database.as(host, "plugin_toads");
    one->session().run("create schema plugin_toads");
    one->session().run("create table plugin_toads.host_shard (number integer)");
    must(postgres::apply_migrations(*one, "toads", {"create table toads_t (id bigint)"}));
  }
  database.roles().plugins = {"owls", "toads"};
  const auto lines = must(init_roles(*database.as_superuser(), database.roles()));
  CHECK_THAT(all(lines), Catch::Contains("1 table is now of " + host + "_toads"));
  const auto toads = database.as(role_of(host, "toads"), "plugin_toads");
  must(postgres::apply_migrations(
      *toads, "toads",
      {"create table toads_t (id bigint)", "alter table toads_t add column a text"}));
  toads->session().run("insert into host_shard values (1)");
  const auto server = database.as_superuser();
  server->session().run("drop owned by \"" + host + "_toads\"");
  server->session().run("drop role \"" + host + "_toads\"");
}

// A host that had begun as a superuser, or a backup that was restored before the roles were made,
// left tables that the host's role could not use.
TEST_CASE("what a superuser made for all is handed over, and the host goes on with it") {
  TestDatabase database;
  postgres::Roles roles{.host = "h_" + database.name(),
                        .plugins = {"owls"},
                        .password = [](const auto&) { return std::optional<std::string>("x"); }};
  must(postgres::open_common_schema(*database.connect_here()));
  must(postgres::open_plugin_schema(*database.connect_here(), "owls"));
  {
    Connection one(must(postgres::Conninfo::parse(database.url())), {}, "plugin_owls");
    must(postgres::apply_migrations(one, "owls", {"create table owls_t (id bigint)"}));
  }
  const auto lines = all(must(init_roles(*database.connect_here(), roles)));
  CHECK_THAT(lines, Catch::Contains("functions are now of " + roles.host) &&
                        Catch::Contains("1 table is now of " + roles.host + "_owls"));
  CHECK_THAT(all(must(init_roles(*database.connect_here(), roles))), !Catch::Contains("now of"));
  const postgres::Conninfo where =
      must(postgres::Conninfo::parse(database.url())).with("password", "x");
  {
    Connection host(where.with("user", roles.host), {}, "host");
    must(postgres::open_common_schema(host));
    must(postgres::open_plugin_schema(host, "owls"));
    host.run_once("insert into host.meta values ('a', '')");
    host.run_once("alter table plugin_owls.host_shard add column later bigint");
    Connection owls(where.with("user", roles.host + "_owls"), {}, "plugin_owls");
    owls.run_once("delete from host_shard");
    must(postgres::apply_migrations(
        owls, "owls", {"create table owls_t (id bigint)", "alter table owls_t add column a text"}));
  }
  drop_roles(database, roles);
}

TEST_CASE("an administrator needs no superuser: a role that may make roles and owns the database") {
  TestDatabase database;
  const std::string admin = "admin_" + database.name(), host = "h_" + database.name();
  const auto server = database.connect_here();
  server->session().run("create role " + admin + " login createrole password 'admin'");
  server->session().run("alter database " + database.name() + " owner to " + admin);
  server->session().run("alter schema public owner to " + admin);
  const postgres::Roles roles{.host = host, .plugins = {"owls"}, .password = [](const auto&) {
                                return std::optional<std::string>("x");
                              }};
  const postgres::Conninfo where =
      must(postgres::Conninfo::parse(database.url())).with("user", admin).with("password", "admin");
  {
    Connection connection(where, postgres::Limits{});
    must(init_roles(connection, roles));
    must(init_roles(connection, roles));
  }
  {
    Connection owls(where.with("user", host + "_owls").with("password", "x"), {}, "plugin_owls");
    must(postgres::apply_migrations(owls, "owls", {"create table owls_t (id bigint)"}));
    CHECK(postgres::wall_problem(owls, "owls") == "");
  }
  for (const std::string& role : {host + "_owls", host, admin}) {
    server->session().run("reassign owned by " + role + " to current_user");
    server->session().run("drop owned by " + role);
    server->session().run("drop role " + role);
  }
}

TEST_CASE("db init refuses what would be no wall, and leaves nothing behind") {
  PluginDatabase database({"owls"});
  const auto server = database.as_superuser();
  const std::string strong = database.roles().host + "_strong";
  server->session().run("create role " + strong + " login superuser");
  postgres::Roles roles = database.roles();
  roles.plugins = {"fine", "strong"};
  const auto refused = init_roles(*server, roles);
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().to_string(), Catch::Contains(strong + " is there and may do more"));
  CHECK(server->session().number("select count(*) from pg_roles where rolname like '%\\_fine'") ==
        0);
  server->session().run("alter role " + strong + " nosuperuser");
  server->session().run("grant \"" + database.roles().host + "\" to " + strong);
  CHECK_THAT(init_roles(*server, roles).error().to_string(), Catch::Contains("is a member of"));
  server->session().run("drop role " + strong);

  roles.password = keeps;
  CHECK_THAT(init_roles(*server, roles).error().to_string(),
             Catch::Contains("no password for the new role"));
  roles.plugins = {std::string(60, 'x')};
  CHECK_THAT(init_roles(*server, roles).error().to_string(), Catch::Contains("63 bytes"));
  const auto owls = database.as_plugin("owls");
  const auto weak = init_roles(*owls, roles);
  REQUIRE_FALSE(weak.ok());
}

}  // namespace
}  // namespace host::postgres_tests
