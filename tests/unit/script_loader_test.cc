#include "host/script/lint.h"
#include "tests/unit/script_loader_fixture.h"

namespace host::test {

using Catch::Contains;

namespace {

const std::vector<std::string> kGlobals{"print", "ipairs", "require", "string", "pairs"};

std::vector<std::string> lint(const std::string& source) {
  std::vector<std::string> out;
  for (const Problem& problem : lint_source("p.lua", source, kGlobals)) {
    out.push_back(problem.to_string());
  }
  return out;
}

std::vector<std::string> check(std::vector<LoadRequest> plugins) {
  std::vector<std::string> out;
  for (const Problem& problem : check_plugins(plugins, bindings::modules())) {
    out.push_back(problem.to_string());
  }
  return out;
}

LoadRequest in_memory(const std::string& path, const std::string& text) {
  return {.file = path,
          .root = "",
          .config = {},
          .policies = {},
          .policy_config = {},
          .files = {{path, text}}};
}

const std::string kPolicies = R"(return { api = 1, name = "p", policies = {
  odds = { "policies.a.flat", "policies.a.llm" } } })";

}  // namespace

TEST_CASE("modules come from scripts/ and from beside the plugin, once each") {
  Plugin plugin(R"(
local a, b = require "scenarios.x.a", require "helper"
return { api = 1, name = a.name .. b, doc = tostring(require "scenarios.x.a" == a) })");
  plugin.file("scripts/scenarios/x/a.lua", "return { name = 'p', at = ... }");
  plugin.file("plugins/helper.lua", "return 'q'");
  CHECK(plugin.loaded().manifest.name == "pq");
  CHECK(plugin.table.manifest.doc == "true");
  CHECK(plugin.table.manifest.sources == std::vector<std::string>{"plugins/p.lua",
                                                                  "scripts/scenarios/x/a.lua",
                                                                  "plugins/helper.lua"});
}

TEST_CASE("the revision changes with any source and not with where the sources lie") {
  const auto revision = [](const std::string& root, const std::string& module) {
    Plugin plugin("require 'scenarios.a' return { api = 1, name = 'p' }");
    plugin.request.root = root;
    plugin.file((root.empty() ? "" : root + "/") + "scripts/scenarios/a.lua", module);
    return plugin.loaded().manifest.revision;
  };
  const std::string first = revision("", "return 1");
  CHECK(first.size() == 12);
  CHECK(first == revision("", "return 1"));
  CHECK(first == revision("/srv/app", "return 1"));
  CHECK(first != revision("", "return 2"));
}

TEST_CASE("require refuses what is no module, with the line") {
  CHECK(Plugin("\nrequire 'host.lsit'").refused() ==
        std::vector<std::string>{
            "p.lua:2: there is no module \"host.lsit\"; did you mean \"host.list\"?"});
  CHECK_THAT(Plugin("require '../etc/passwd'").refused().at(0), Contains("is no name of a module"));
  CHECK_THAT(Plugin("require 'scenarios.none'").refused().at(0),
             Contains("p.lua:1: scripts/scenarios/none.lua does not belong to this revision"));
  CHECK_THAT(Plugin("require 'a'")
                 .file("plugins/a.lua", "return require 'b'")
                 .file("plugins/b.lua", "\n\nlocal a = require 'a' return a")
                 .refused()
                 .at(0),
             Contains("b.lua:3: modules require each other in a circle: a -> b -> a"));
  CHECK_THAT(Plugin("require 'a'").file("plugins/a.lua", "local x =\n= 1").refused().at(0),
             Contains("a.lua:2: unexpected symbol"));
  CHECK_THAT(Plugin("require 'a'").file("plugins/a.lua", "\x1bLJ").refused().at(0),
             Contains("bytecode"));
}

TEST_CASE("a file that cannot be read is named") {
  Plugin plugin("");
  plugin.request.files.clear();
  plugin.request.file = "/nowhere/p.lua";
  plugin.load();
  CHECK(plugin.problems.at(0).to_string() ==
        "/nowhere/p.lua: cannot read /nowhere/p.lua: No such file or directory");
  plugin.request.file = HOST_SOURCE_DIR "/plugins";
  plugin.load();
  CHECK_THAT(plugin.problems.at(0).message, Contains("/plugins: Is a directory"));
}

TEST_CASE("after loading, require finds what is there and nothing else") {
  Plugin plugin(
      "local list = require 'host.list'\n"
      "return { api = 1, name = 'p', timers = {\n"
      "  a = function() return require 'host.list' == list end,\n"
      "  b = function() local m = require 'host.sql' return m end } }");
  const PluginTable& table = plugin.loaded();
  const auto call = [&](std::size_t index) {
    return plugin.state->protect([&](lua_State* L) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, table.timers.at(index).handle.function);
      lua_call(L, 0, 1);
      if (!lua_toboolean(L, -1)) luaL_error(L, "another module");
    });
  };
  CHECK(call(0).ok());
  const Result<void> late = call(1);
  REQUIRE_FALSE(late.ok());
  CHECK_THAT(late.error().to_string(),
             Contains("plugins/p.lua:4: the module \"host.sql\" is required while a message"));
}

TEST_CASE("an error while loading carries its file and line, also of long paths") {
  const std::string path =
      "/a/very/long/path/that/lua/shortens/because/it/has/no/room/plugins/p.lua";
  Plugin plugin("");
  plugin.request.files = {{path, "local x\n\nreturn x.y"}};
  plugin.request.file = path;
  plugin.load();
  CHECK(plugin.problems.at(0).file == path);
  CHECK(plugin.problems.at(0).line == 3);
}

TEST_CASE("settings come by text or JSON and are checked by their schema") {
  const std::string source = R"(local spec = require "host.spec"
return { api = 1, name = "p", config = {
  fee = spec.money { default = "2.50", max = "9" },
  wait = spec.duration { optional = true },
  names = spec.list(spec.string),
  key = spec.string { secret = true, optional = true },
} })";
  Plugin good(source);
  good.request.config = {{"fee", {.text = "3"}},
                         {"names", {.text = R"(["a"])", .is_json = true}},
                         {"key", {.text = "hush"}}};
  const PluginTable& table = good.loaded();
  std::string json;
  REQUIRE(good.state
              ->protect([&](lua_State* L) {
                Violations violations;
                lua_rawgeti(L, LUA_REGISTRYINDEX, table.config);
                append_json(L, -1, nullptr, json, violations);
              })
              .ok());
  CHECK(json == R"({"fee":3.00,"key":"hush","names":["a"]})");
  CHECK(table.secrets == std::vector<std::string>{"hush"});

  Plugin bad(source);
  bad.request.config = {{"fee", {.text = "10"}},
                        {"wiat", {.text = "1"}},
                        {"names", {.text = "[1]", .is_json = true}},
                        {"key", {.text = "hush", .from_command_line = true}}};
  CHECK(
      bad.refused() ==
      std::vector<std::string>{
          "p.lua:2: config has a value for \"wiat\", which is not a field here; did you mean "
          "\"wait\"?",
          "p.lua:3: config.fee is set to a value that does not fit: p.fee is more than 9.00",
          "p.lua:5: config.names is set to a value that does not fit: p.names[1] is a number, "
          "not text",
          "p.lua:6: config.key is a secret and comes from the command line (set it by environment "
          "or deployment file: others see command lines)"});
}

TEST_CASE("a secret inside of a setting stays off the command line") {
  const auto with = [](bool from_command_line) {
    Plugin plugin(
        "local spec = require 'host.spec'\n"
        "return { api = 1, name = 'p', config = { mail = { key = spec.string { secret = true } } } "
        "}");
    plugin.request.config = {
        {"mail", {.text = R"({"key":"hush"})", .from_command_line = from_command_line}}};
    return plugin;
  };
  CHECK_THAT(with(true).refused().at(0), Contains("comes from the command line"));
  CHECK(with(false).loaded().secrets == std::vector<std::string>{"hush"});
}

TEST_CASE(
    "a setting without value and default is a problem, but not for a check without deployment") {
  const std::string source =
      "local spec = require 'host.spec'\n"
      "return { api = 1, name = 'p', config = { url = spec.url } }";
  CHECK(Plugin(source).refused() ==
        std::vector<std::string>{"p.lua:2: config.url has no value and no default (set p.url)"});
  Plugin plugin(source);
  plugin.request.without_settings = true;
  plugin.loaded();
}

TEST_CASE("policies: the first is the default, the deployment chooses, listed ones can be asked") {
  const auto with = [](const std::string& chosen) {
    Plugin plugin(kPolicies);
    plugin.file("scripts/policies/a/flat.lua",
                "return { decide = function() end, edge = 1,\n"
                "config = { rate = 3 } }");
    plugin.file("scripts/policies/a/llm.lua",
                "local M = {}\nM.uses = { 'llm' }\nfunction M.decide() end\nreturn M");
    if (!chosen.empty()) plugin.request.policies["odds"] = chosen;
    return plugin;
  };
  Plugin plugin = with("");
  const PluginTable::Policy* policy = plugin.loaded().find_policy("odds");
  REQUIRE(policy);
  CHECK(policy->chosen == 0);
  CHECK(policy->choices.at(0).decide != kNoRef);
  CHECK(policy->choices.at(0).config != kNoRef);
  CHECK(policy->choices.at(0).unavailable.empty());
  CHECK(policy->choices.at(1).unavailable == "it uses llm: not in this version");
  CHECK(policy->find("flat") == policy->find("policies.a.flat"));
  CHECK(policy->find("none") == nullptr);

  CHECK(with("policies.a.flat").loaded().policies.at(0).chosen == 0);
  CHECK(with("llm").refused() ==
        std::vector<std::string>{
            "llm.lua:2: policies.a.llm is chosen and uses \"llm\": not in this version"});
  CHECK(with("dice").refused() ==
        std::vector<std::string>{
            "p.lua:2: policies.odds does not list \"dice\", which the deployment chooses"});
}

TEST_CASE("policies that are none are refused in their own file") {
  Plugin plugin(kPolicies);
  plugin.file("scripts/policies/a/flat.lua", "\n\nerror 'broken'");
  plugin.file("scripts/policies/a/llm.lua", "return { decide = 3 }");
  CHECK(plugin.refused() == std::vector<std::string>{
                                "flat.lua:3: policies.odds cannot load \"policies.a.flat\": broken",
                                "llm.lua:1: a policy has a function decide(ctx, input, config)"});
  Plugin unknown("return { api = 1, name = 'p' }");
  unknown.request.policies["odds"] = "x";
  CHECK_THAT(unknown.refused().at(0), Contains("policies has no \"odds\", which the deployment"));
}

TEST_CASE("undefined globals are found without running them, in every function") {
  CHECK(lint("local x = prnit\nlocal function f()\n  return function() total = 1 end\nend\n"
             "return ipairs, x, f") ==
        std::vector<std::string>{
            "p.lua:1: the global 'prnit' is not defined (did you mean \"print\"?)",
            "p.lua:3: the global 'total' cannot be set (write local, or keep it in ctx.state)"});
  CHECK(lint("for _, v in pairs(string) do print(v) end").empty());
  CHECK(lint("local t = {}\nt.x = 1\nreturn t.y").empty());
  CHECK_THAT(lint("return {\n  a = ,\n}").at(0), Contains("p.lua:2: unexpected symbol"));
  CHECK_THAT(lint("\x1bLJ\x02").at(0), Contains("wrong mode"));
}

TEST_CASE("a check loads, lints and compares all plugins, and tells each problem once") {
  CHECK(check({in_memory("a.lua",
                         "return { api = 1, name = 'a',\n timers = { t = function()\n"
                         " return cuont end } }"),
               in_memory("b.lua", "return { api = 1, name = 'b',\n x = 1 }")}) ==
        std::vector<std::string>{"a.lua:3: the global 'cuont' is not defined",
                                 "b.lua:2: x is not a field here"});
  CHECK(check({in_memory("a.lua", "return cuont")}) ==
        std::vector<std::string>{"a.lua:1: the global 'cuont' is not defined"});
  CHECK(check({in_memory("a.lua", "return {")}).size() == 1);
  const std::string route = "', routes = { ['GET /x/:";
  const std::string rest = "'] = { auth = 'none', handle = function() end } } }";
  CHECK(check({in_memory("a.lua", "return { api = 1, name = 'a" + route + "a" + rest),
               in_memory("b.lua", "return { api = 1, name = 'a" + route + "b" + rest)}) ==
        std::vector<std::string>{
            "b.lua: the name \"a\" is that of a.lua (names of plugins are unique)",
            "b.lua: the route \"GET /x/:b\" matches the same requests as \"GET /x/:a\" of a.lua"});
}

TEST_CASE("the scripts of the repository load and check without a finding") {
  std::vector<LoadRequest> plugins;
  const std::string root = HOST_SOURCE_DIR;
  for (const char* name : {"gryffindor", "hagrid", "herbology", "library", "master", "muggle",
                           "platform", "quidditch"}) {
    LoadRequest request = in_memory(root + "/plugins/" + name + ".lua", "");
    request.files.clear();
    request.root = root;
    plugins.push_back(request);
  }
  CHECK(check(plugins) == std::vector<std::string>{});
}

}  // namespace host::test
