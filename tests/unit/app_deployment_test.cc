#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "host/app/deployment.h"
#include "host/script/watchdog.h"
#include "tests/fakes/recorders.h"

namespace host::app {
namespace {

struct Fixture {
  fakes::RecordingLogger logger;
  script::Watchdog watchdog{{}, logger};

  DeploymentResult read(const std::string& text, const std::string& root = ".") {
    return read_deployment("d.lua", text, root);
  }
  Deployment good(const std::string& text) {
    DeploymentResult result = read(text);
    for (const Problem& problem : result.problems) FAIL(problem.to_string());
    return result.deployment;
  }
  std::string problems(const std::string& text) {
    std::string all;
    for (const Problem& problem : read(text).problems) all += problem.to_string() + "\n";
    return all;
  }
};

using Catch::Contains;

TEST_CASE_METHOD(Fixture, "a deployment names plugins with their settings") {
  const Deployment deployment = good(R"(
    local stay = 2
    return {
      listen = "127.0.0.1:3008", admin = "none", prefix = "test.", partitions = 4,
      topics = { ["owl-post"] = { keep = "7d", max_bytes = 1000 }, ledger = { keep = "forever" } },
      plugins = {
        ["plugins/quidditch.lua"] = {
          config = { stay = stay, note = "x", list = { 1, 2 } },
          policies = { next_place = "dice", odds = { use = "fair", config = { edge = 0.5 } } },
        },
      },
    })");
  CHECK(deployment.listen == "127.0.0.1:3008");
  CHECK(deployment.admin == "none");
  CHECK(deployment.prefix == "test.");
  CHECK(deployment.partitions == 4);
  CHECK(deployment.topics.at("owl-post").keep == Duration(std::chrono::hours(7 * 24)));
  CHECK(deployment.topics.at("owl-post").max_bytes == 1000);
  CHECK(deployment.topics.at("ledger").keep == kForever);
  REQUIRE(deployment.plugins.size() == 1);
  const Deployment::Plugin& plugin = deployment.plugins.front();
  CHECK(plugin.file == "plugins/quidditch.lua");
  CHECK(plugin.config.at("stay").text == "2");
  CHECK(plugin.config.at("note").text == "x");
  CHECK(plugin.config.at("list").text == "[1,2]");
  CHECK(plugin.config.at("list").is_json);
  CHECK(plugin.policies.at("next_place") == "dice");
  CHECK(plugin.policies.at("odds") == "fair");
  CHECK(plugin.policy_config.at("odds").at("edge").text == "0.5");
}

TEST_CASE_METHOD(Fixture, "an unknown field is an error with its line and what was meant") {
  CHECK_THAT(problems("return {\n  listn = \"x\",\n  plugins = { [\"a.lua\"] = {} },\n}"),
             Contains("d.lua:2: unknown field \"listn\"") && Contains("did you mean \"listen\"?"));
  CHECK_THAT(problems("return { plugins = {\n  [\"a.lua\"] = {\n    confg = {},\n  } } }"),
             Contains("d.lua:3: unknown field \"confg\" of a.lua") && Contains("config"));
}

TEST_CASE_METHOD(Fixture, "all problems are told at once") {
  const std::string all = problems(R"(return {
    partitions = 0, listen = 8080,
    topics = { a = { keep = "long" } },
  })");
  CHECK_THAT(all, Contains("partitions must be") && Contains("listen must be a text") &&
                      Contains("keep must be a duration"));
}

TEST_CASE_METHOD(Fixture, "what is not in this version is refused by name") {
  for (const char* field : {"llm = {}", "egress = {}"}) {
    CHECK_THAT(problems(std::string("return { ") + field + ", plugins = { [\"a\"] = {} } }"),
               Contains("not in this version"));
  }
}

TEST_CASE_METHOD(Fixture, "log and store are URLs without secrets, or name where they stand") {
  const auto with = [](const std::string& fields) {
    return "return { " + fields + ", plugins = { [\"a.lua\"] = {} } }";
  };
  const Deployment good =
      read(with("log = \"kafka://b\", store = \"postgresql://u@h/d\"")).deployment;
  CHECK(good.log == "kafka://b");
  CHECK(good.store == "postgresql://u@h/d");
  ::setenv("APP_DEPLOYMENT_STORE", "postgresql://u:p@h/d", 1);
  CHECK(read(with("store = \"env:APP_DEPLOYMENT_STORE\"")).deployment.store ==
        "postgresql://u:p@h/d");
  CHECK_THAT(problems(with("store = \"postgresql://u:hidden@h/d\"")),
             Contains("d.lua:1") && Contains("env:NAME") && !Contains("hidden"));
  CHECK_THAT(problems(with("log = \"kafka://b?sasl.password=hidden\"")),
             Contains("sasl.password") && !Contains("hidden"));
  CHECK_THAT(problems(with("log = \"mqtt://b\"")), Contains("log mqtt is unknown"));
  CHECK_THAT(problems(with("store = \"env:APP_DEPLOYMENT_NONE\"")),
             Contains("APP_DEPLOYMENT_NONE, which is not set"));
}

TEST_CASE_METHOD(Fixture, "a file that does not load says where") {
  CHECK_THAT(problems("return {\n  listen = \n"), Contains("d.lua:"));
  CHECK_THAT(problems("local x\nerror(\"no\")"), Contains("d.lua:2: no"));
  CHECK_THAT(problems("return 5"), Contains("must return a table"));
  CHECK_THAT(problems("return { plugins = { [\"a.lua\"] = print } }"),
             Contains("plugins.a.lua is a function"));
  CHECK_THAT(problems("local t = {} t.plugins = t return t"), Contains("holds itself"));
}

TEST_CASE_METHOD(Fixture, "a deployment file reaches nothing and ends") {
  CHECK_THAT(problems("return { listen = os.getenv(\"HOME\") }"), Contains("os"));
  CHECK_THAT(problems("return { listen = require(\"x\") }"), Contains("require"));
  CHECK_THAT(problems("while true do end"), Contains("stopped after 1s"));
  CHECK_THAT(problems("local t = {} for i = 1, 1e9 do t[i] = {} end"), Contains("memory"));
}

TEST_CASE_METHOD(Fixture, "secrets come from variables and files") {
  setenv("APP_DEPLOYMENT_TEST", "from the variable", 1);
  const std::string folder =
      std::filesystem::temp_directory_path() / ("app_deployment_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/token") << "from the file\n";
  const DeploymentResult result = read(
      R"(return { plugins = { ["a.lua"] = { config = {
        one = "env:APP_DEPLOYMENT_TEST", two = "file:token" } } } })",
      folder);
  std::filesystem::remove_all(folder);
  REQUIRE(result.problems.empty());
  const auto& config = result.deployment.plugins.at(0).config;
  CHECK(config.at("one").text == "from the variable");
  CHECK_FALSE(config.at("one").is_json);
  CHECK_FALSE(config.at("one").from_command_line);
  CHECK(config.at("two").text == "from the file");
}

TEST_CASE_METHOD(Fixture, "a secret that is not there is named") {
  CHECK_THAT(problems("return { plugins = { [\"a.lua\"] = { config = {\n"
                      "  one = \"env:APP_NOT_SET\",\n  two = \"file:not/there\" } } } }"),
             Contains("d.lua:2: one names the variable APP_NOT_SET") && Contains("not/there"));
}

}  // namespace
}  // namespace host::app
