#include <catch2/catch.hpp>

#include "host/app/options.h"

namespace host::app {
namespace {

Options good(const std::vector<std::string>& arguments, const Environ& environ = {}) {
  auto parsed = parse_options(arguments, environ);
  if (const Exit* exit = std::get_if<Exit>(&parsed)) FAIL(exit->text);
  return std::get<Options>(parsed);
}

Exit ends(const std::vector<std::string>& arguments, const Environ& environ = {}) {
  auto parsed = parse_options(arguments, environ);
  REQUIRE(std::holds_alternative<Exit>(parsed));
  return std::get<Exit>(parsed);
}

using Catch::Contains;

TEST_CASE("several plugins follow one --plugin, or repeat it") {
  CHECK(good({"--plugin", "a.lua", "b.lua"}).files == std::vector<std::string>{"a.lua", "b.lua"});
  CHECK(good({"--plugin", "a.lua", "--plugin", "b.lua"}).files.size() == 2);
}

TEST_CASE("what is not said stays empty, so that a deployment file can say it") {
  const Options options = good({"run", "d.lua"});
  CHECK(options.deployment == "d.lua");
  CHECK_FALSE(options.listen);
  CHECK_FALSE(options.partitions);
  CHECK_FALSE(options.memory);
}

TEST_CASE("every option is read as what it is") {
  const Options options =
      good({"run",          "d.lua", "--data",         "x",    "--listen",     "127.0.0.1:1",
            "--admin",      "none",  "--stop-timeout", "3s",   "--partitions", "4",
            "--prefix",     "p.",    "--lanes",        "2",    "--root",       "r",
            "--log-level",  "warn",  "--on-gap",       "skip", "--memory",     "64MB",
            "--turn-limit", "100ms", "--auth",         "a.lua"});
  CHECK(options.data == "x");
  CHECK(options.listen == "127.0.0.1:1");
  CHECK(options.admin == "none");
  CHECK(options.auth == "a.lua");
  CHECK(options.stop_timeout == Duration(std::chrono::seconds(3)));
  CHECK(options.partitions == 4);
  CHECK(options.prefix == "p.");
  CHECK(options.lanes == 2);
  CHECK(options.root == "r");
  CHECK(options.log_level == ports::LogLevel::warn);
  CHECK(options.skip_gaps == true);
  CHECK(options.memory == 64u << 20);
  CHECK(options.turn_limit == Duration(std::chrono::milliseconds(100)));
}

TEST_CASE("db init has a store, a role, passwords and plugins") {
  const Environ environ{{"HOST_PASSWORD__host_owls", "o"}, {"HOST_STORE", "postgresql://a:b@h/d"}};
  const Options options = good({"db", "init", "owls", "a.lua", "--passwords", "p"}, environ);
  CHECK(options.command == Options::Command::db_init);
  CHECK(options.files == std::vector<std::string>{"owls", "a.lua"});
  CHECK(options.store == "postgresql://a:b@h/d");
  CHECK(options.role == "host");
  CHECK(options.passwords == "p");
  CHECK(options.password_variables.at("host_owls") == "o");
  CHECK(good({"db", "init", "owls", "--store", "postgresql://a@h/d", "--role", "r"}).role == "r");
  CHECK(good({"run", "d.lua"}, {{"HOST_PASSWORD__host_owls", "o"}}).warnings.empty());
}

TEST_CASE("db init without a store, or with a password in it, is a wrong call") {
  CHECK_THAT(ends({"db", "init", "owls"}).text, Contains("--store postgresql://"));
  for (const char* url :
       {"postgresql://a:secret@h/d", "user=a password=secret", "postgresql://a:secret@h:x/d"}) {
    const Exit exit = ends({"db", "init", "owls", "--store", url});
    CHECK(exit.code == kUsage);
    CHECK_THAT(exit.text, Contains("PGPASSWORD") || Contains("cannot be read"));
    CHECK_THAT(exit.text, !Contains("secret"));
  }
  CHECK(ends({"db"}).code == kUsage);
  CHECK(ends({"db", "init", "--store", "postgresql://a@h/d"}).code == kUsage);
}

TEST_CASE("an option stands before or behind the command's words") {
  CHECK(good({"--data", "x", "run", "d.lua"}).data == "x");
  CHECK(good({"run", "--data", "x", "d.lua"}).deployment == "d.lua");
}

TEST_CASE("every option is a variable too, and the command line wins") {
  const Environ environ{
      {"HOST_DATA", "v"}, {"HOST_STOP_TIMEOUT", "1s"}, {"HOST_PLUGIN", "a.lua b.lua"}};
  const Options options = good({}, environ);
  CHECK(options.data == "v");
  CHECK(options.stop_timeout == Duration(std::chrono::seconds(1)));
  CHECK(options.files.size() == 2);
  CHECK(good({"--data", "x"}, environ).data == "x");
  CHECK(good({"--plugin", "c.lua"}, environ).files == std::vector<std::string>{"c.lua"});
  CHECK(good({"run", "d.lua"}, environ).files.empty());
}

TEST_CASE("settings come from variables and from --set, which is the last and wins") {
  const Options options =
      good({"--plugin", "a.lua", "--set", "toll.fee=3.00", "--set", "toll.text=a=b"},
           {{"HOST_SET__toll__fee", "2.00"}});
  REQUIRE(options.sets.size() == 3);
  CHECK(options.sets[0].value == "2.00");
  CHECK_FALSE(options.sets[0].from_command_line);
  CHECK(options.sets[1].to_string() == "toll.fee");
  CHECK(options.sets[1].value == "3.00");
  CHECK(options.sets[1].from_command_line);
  CHECK(options.sets[2].value == "a=b");
}

TEST_CASE("a setting may name a policy of the plugin") {
  const Options options =
      good({"--plugin", "a.lua"}, {{"HOST_SET__m__policies__next_place", "dice"}});
  CHECK(options.sets.at(0).path == std::vector<std::string>{"policies", "next_place"});
}

TEST_CASE("an unknown variable only warns, with what was probably meant") {
  const Options options = good({"--plugin", "a.lua"}, {{"HOST_LISTN", "x"}, {"HOME", "y"}});
  REQUIRE(options.warnings.size() == 1);
  CHECK_THAT(options.warnings[0], Contains("HOST_LISTN") && Contains("HOST_LISTEN"));
}

TEST_CASE("a wrong call is exit 2 and says what, where and how to mend it") {
  struct Row {
    std::vector<std::string> arguments;
    const char* says;
    const char* and_says;
  };
  const Row rows[] = {
      {{}, "--plugin", "host run"},
      {{"--plugin", "a.lua", "--lisen", "x"}, "--lisen", "did you mean --listen?"},
      {{"chek", "a.lua"}, "chek", "did you mean `host check`?"},
      {{"a.lua"}, "a.lua", "--plugin FILE"},
      {{"run"}, "deployment", "--help"},
      {{"check"}, "files", "--help"},
      {{"run", "d.lua", "--plugin", "a.lua"}, "exclude", "d.lua"},
      {{"--plugin", "a.lua", "--partitions", "0"}, "--partitions 0", "from 1"},
      {{"--plugin", "a.lua", "--lanes", "two"}, "--lanes two", "whole number"},
      {{"--plugin", "a.lua", "--stop-timeout", "soon"}, "--stop-timeout soon", "10s"},
      {{"--plugin", "a.lua", "--stop-timeout", "20000d"}, "--stop-timeout 20000d", "at most"},
      {{"--plugin", "a.lua", "--memory", "1MB"}, "--memory 1MB", "at least"},
      {{"--plugin", "a.lua", "--memory", "12XB"}, "--memory 12XB", "128MB"},
      {{"--plugin", "a.lua", "--on-gap", "run"}, "--on-gap run", "stop or skip"},
      {{"--plugin", "a.lua", "--log-level", "loud"}, "--log-level loud", "debug"},
      {{"--plugin", "a.lua", "--set", "fee=3"}, "--set fee=3", "tollgate.fee"},
      {{"--plugin", "a.lua", "--set", "toll.fee"}, "no \"=\"", "tollgate.fee"},
      {{"--plugin", "a.lua", "--log", "redis://b"}, "--log redis is unknown", "kafka://"},
      {{"--plugin", "a.lua", "--store", "mysql://b/x"}, "--store mysql", "postgresql://"},
      {{"--plugin", "a.lua", "--log", "kafka://b?acks=0"}, "acks", "cannot be chosen"},
      {{"--plugin", "a.lua", "--log", "kafka://b?sasl.password=p"}, "sasl.password", "env:NAME"},
      {{"--plugin", "a.lua", "--json"}, "--json", "host check"},
  };
  for (const Row& row : rows) {
    const Exit exit = ends(row.arguments);
    INFO(exit.text);
    CHECK(exit.code == kUsage);
    CHECK_THAT(exit.text, Contains(row.says) && Contains(row.and_says));
  }
}

TEST_CASE("commands that are not in this version are refused by name") {
  for (const char* name : {"new", "types", "tap", "trace", "dead", "replay", "rebuild", "forget",
                           "reload", "rollback"}) {
    const Exit exit = ends({name, "something", "--else"});
    CHECK(exit.code == kUsage);
    CHECK_THAT(exit.text, Contains(std::string("host ") + name + ": not in this version"));
  }
}

TEST_CASE("help and version are no errors") {
  CHECK(ends({"--help"}).code == kFine);
  CHECK_THAT(ends({"--help"}).text, Contains("--stop-timeout") && Contains("host run DEPLOYMENT"));
  CHECK_THAT(ends({"--version"}).text, Contains("host 0.1.0"));
  CHECK(ends({"check", "--help"}).code == kFine);
}

TEST_CASE("check and test take their files, check can answer in JSON") {
  const Options check = good({"check", "--json", "a.lua", "b.lua"});
  CHECK(check.command == Options::Command::check);
  CHECK(check.json);
  CHECK(check.files.size() == 2);
  CHECK(good({"test", "t.lua"}).command == Options::Command::test);
}

TEST_CASE("an address is loopback by its host alone") {
  for (const char* yes : {"127.0.0.1:80", "127.9.9.9:1", "localhost:0", "[::1]:80"}) {
    CHECK(is_loopback(yes));
  }
  for (const char* no :
       {"0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.org:80", ":80", "127.evil.org:80"}) {
    CHECK_FALSE(is_loopback(no));
  }
}

}  // namespace
}  // namespace host::app
