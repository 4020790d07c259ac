#include <nlohmann/json.hpp>

#include "tests/unit/script_loader_fixture.h"

namespace host::test {

namespace {

const std::string kHead = "local spec = require 'host.spec'\n";  // line 1

/// The problems of a plugin whose table has these fields from line 4 on.
std::vector<std::string> refused(const std::string& fields) {
  return Plugin(kHead + "return {\n  api = 1, name = 'p',\n" + fields + "\n}\n").refused();
}

/// There is one problem: this line, and these words in it.
void check_one(const std::string& fields, const std::string& line_and_message) {
  const std::vector<std::string> found = refused(fields);
  INFO(fields);
  for (const std::string& problem : found) UNSCOPED_INFO(problem);
  REQUIRE(found.size() == 1);
  CHECK(found.front() == "p.lua:" + line_and_message);
}

}  // namespace

TEST_CASE("all problems of a manifest are reported at once, each with its line") {
  const auto found = refused(R"(
  routs = {},
  emits = { ["a b"] = spec.any },
  on = {
    orders = {
      schema = { id = spec.string },
      hadle = function() end,
      retry = { attempts = 0 },
    },
  },
  timers = { wake = 3 },)");
  CHECK(found == std::vector<std::string>{
                     "p.lua:5: routs is not a field here (did you mean \"routes\"?)",
                     "p.lua:6: emits[\"a b\"] \"a b\" is no name of a topic "
                     "(letters, digits, . _ - and a * at the end)",
                     "p.lua:8: on.orders has no handle (handle = function(ctx, msg) ... end)",
                     "p.lua:10: on.orders.hadle is not a field here (did you mean \"handle\"?)",
                     "p.lua:11: on.orders.retry.attempts is no whole number from 1 to 1000",
                     "p.lua:14: timers.wake is a number, not a function or { schema = ..., "
                     "handle = function }",
                 });
}

TEST_CASE("the head of a manifest is checked") {
  CHECK(Plugin("return { name = 'p' }").refused() ==
        std::vector<std::string>{"p.lua:1: a plugin begins with api = 1 (this is the version of "
                                 "what the host offers)"});
  CHECK(Plugin("return {\n api = 2,\n name = 'p' }").refused() ==
        std::vector<std::string>{"p.lua:2: api is not 1, the one version there is"});
  CHECK(Plugin("return { api = 1 }").refused().front().starts_with("p.lua:1: name is missing"));
  CHECK(Plugin("return {\n api = 1,\n name = 'Orders' }")
            .refused()
            .front()
            .starts_with("p.lua:3: name \"Orders\" is no name of a plugin"));
  CHECK(Plugin("return 1")
            .refused()
            .front()
            .starts_with("p.lua: a plugin returns a table, this file returns number"));
  CHECK(Plugin("local x = 1")
            .refused()
            .front()
            .starts_with("p.lua: a plugin returns a table, this file returns nothing"));
}

TEST_CASE("what this version does not have is refused by name") {
  check_one("  uses = { 'llm' },", "4: uses names \"llm\": not in this version");
  check_one("  uses = { 'telepathy' },",
            "4: uses names \"telepathy\", which does not exist (there are llm, http, accounts)");
  check_one("  routes = { ['* /a/*'] = { auth = 'none',\n proxy = 'up' } },",
            "5: routes[\"* /a/*\"].proxy is not in this version");
  check_one("  state = {\n at = spec.cursor { },\n },", "5: spec.cursor is not in this version");
  check_one("  state = { at = spec.either { spec.any } },",
            "4: spec.either is not in this version");
}

TEST_CASE("routes that serve files are checked") {
  const auto files = [](const std::string& name, const std::string& fields) {
    return "  routes = { ['" + name + "'] = { auth = 'none',\n" + fields + " } },";
  };
  Plugin good(
      "return { api = 1, name = 'p', routes = { ['GET /app/*'] = { auth = 'none', "
      "files = 'web', fallback = 'index.html', cache = '1h' } } }");
  const Manifest::Route& route = good.loaded().manifest.routes.front();
  CHECK(route.files->folder == "plugins/web");
  CHECK(route.files->fallback == "index.html");
  CHECK(route.cache->max_age == std::chrono::hours(1));
  CHECK(route.cache->shared);
  check_one(files("GET /a", "files = 'web'"),
            "5: routes[\"GET /a\"].files needs a path that ends in /* ([\"GET /*\"] = { files = "
            "\"web\" })");
  check_one(files("POST /*", "files = 'web'"),
            "5: routes[\"POST /*\"].files is there, but only GET routes serve files");
  check_one(files("GET /*", "files = '../etc'"),
            "5: routes[\"GET /*\"].files \"../etc\" is no folder beside the plugin (a name like "
            "\"web\")");
  check_one(files("GET /*", "files = 'web', fallback = '../x'"),
            "5: routes[\"GET /*\"].fallback \"../x\" is no file in the folder");
  check_one(files("GET /*", "files = 'web', handle = function() end"),
            "5: routes[\"GET /*\"].handle is not called: the route serves files");
  check_one(files("GET /a", "handle = function() end, fallback = 'x'"),
            "5: routes[\"GET /a\"].fallback is there, but there are no `files`");
  check_one(files("POST /a", "handle = function() end, cache = '1h'"),
            "5: routes[\"POST /a\"].cache is there, but only answers to GET are kept");
}

TEST_CASE("a folder of files must be there when a plugin is loaded from the disk") {
  Plugin plugin("");
  plugin.request.files.clear();
  plugin.request.file = std::string(HOST_SOURCE_DIR) + "/tests/unit/no_files.lua";
  const std::vector<std::string> found = plugin.refused();
  REQUIRE(found.size() == 1);
  CHECK(found[0].find("names a folder that is not there: ") != std::string::npos);
}

TEST_CASE("lines are a whole body, and nothing else") {
  Plugin good(
      "local spec = require 'host.spec' return { api = 1, name = 'p', routes = { "
      "['POST /a'] = { auth = 'none', body = spec.lines(spec.int, { max = 5 }), returns = "
      "spec.lines { n = 1 }, handle = function() end } } }");
  PluginTable& table = good.loaded();
  CHECK(table.manifest.routes[0].media_types == std::vector<std::string>{"application/x-ndjson"});
  CHECK(table.routes[0].body[0].second->kind() == Schema::Kind::lines);
  const nlohmann::json operation = nlohmann::json::parse(table.manifest.routes[0].operation);
  CHECK(operation["requestBody"]["content"]["application/x-ndjson"]["x-max-lines"] == 5);
  CHECK(operation["responses"]["2XX"]["content"].contains("application/x-ndjson"));
  check_one(
      "  state = { at = spec.lines(spec.any) },",
      "4: state is no schema: spec.lines is a whole body, it cannot be inside of another schema");
  check_one("  on = { ['a.b'] = { schema = spec.lines(spec.any), handle = function() end } },",
            "4: on[\"a.b\"].schema is spec.lines, which is there for `body` and `returns` of a "
            "route");
  check_one(
      "  routes = { ['POST /a'] = { auth = 'none', handle = function() end,\n"
      "body = { ['application/json'] = spec.lines(spec.any) } } },",
      "5: routes[\"POST /a\"].body[\"application/json\"] is spec.lines, but lines of JSON are "
      "application/x-ndjson");
}

TEST_CASE("every field of a state fills in") {
  check_one("  state = {\n a = 1,\n b = spec.string,\n c = spec.map(spec.int) },",
            "6: state.b has no default and is not optional (a key has a state before its first "
            "message: { default = ... })");
  check_one("  state = 3,",
            "4: state is a whole number, not a record (write { name = spec.string })");
  check_one("  state = { f = function() end },",
            "4: state is no schema: field \"f\": a function is no schema: spec.list, spec.map, "
            "spec.one_of and spec.tagged are called");
}

TEST_CASE("migrations of the state have no holes and need a state") {
  check_one("  migrate = { [1] = function(old) return old end },",
            "4: migrate is there, but no state");
  check_one("  state = { a = 1 },\n  migrate = { [2] = function(old) return old end },",
            "5: migrate has no function from version 1 (versions go 1, 2, 3 without holes)");
  Plugin plugin(
      "return { api = 1, name = 'p', state = { a = 1 },\n"
      "migrate = { function(o) return o end, function(o) return o end } }");
  CHECK(plugin.loaded().manifest.state_version == 3);
  CHECK(plugin.table.migrate.size() == 2);
}

TEST_CASE("tagged handlers cover their schema and nothing else") {
  check_one(R"(  on = { orders = {
    schema = spec.tagged("type", { Start = {}, Stop = {} }),
    handle = {
      Start = function() end,
      Stopp = function()
      end,
      Stop = function() end,
    } } },)",
            "8: on.orders.handle handles \"Stopp\", which the schema does not have (did you mean "
            "\"Stop\"?)");
  check_one(R"(  on = { orders = {
    schema = spec.tagged("type", { Start = {}, Stop = {} }),
    handle = { Start = function() end },
  } },)",
            "6: on.orders.handle has no function for \"Stop\"");
  check_one("  on = { orders = { handle = { A = function() end } } },",
            "4: on.orders.handle is a table of functions, but the schema is no spec.tagged");
}

TEST_CASE("rules of a subscription are checked") {
  const auto with = [](const std::string& more) {
    return "  on = { a = { handle = function() end, schema = { id = spec.string, n = spec.int "
           "},\n" +
           more + " } },";
  };
  check_one(with("key = 'idd'"), "5: on.a.key \"idd\" is not a field here; did you mean \"id\"?");
  check_one(with("key = 'n'"), "5: on.a.key \"n\" is a whole number, not text");
  check_one(with("from = 'end'"), "5: on.a.from is \"end\" (\"start\" or \"now\")");
  check_one(with("once = { by = 'id' }"), "5: on.a.once says no time (within = \"7d\")");
  check_one(with("once = { by = 'id', within = 'week' }").c_str(),
            "5: on.a.once.within is no duration: \"week\" is no duration: it does not begin with a "
            "number (a number with us, ms, s, m, h or d, like 250ms)");
  check_one(with("retry = { backoff = '30s..1s' }"),
            "5: on.a.retry.backoff \"30s..1s\" is no backoff (from..to, like \"1s..30s\")");
  check_one(with("retry = { last = 'retry' }"),
            "5: on.a.retry.last is \"retry\" (\"dead\" (dead letter) or \"stop\" (the key))");
  check_one("  on = { a = function() end },",
            "4: on.a is a function, not a table: { schema = ..., handle = function(ctx, msg) }");
}

TEST_CASE("a subscription is read whole") {
  Plugin plugin(kHead + R"(return { api = 1, name = "p", on = { ["a.b"] = {
    schema = { id = spec.string }, handle = function() end, key = "id", from = "now",
    once = { by = "id", within = "7d" },
    retry = { attempts = 3, backoff = "250ms..1m", last = "stop" } } } })");
  const PluginTable& table = plugin.loaded();
  const Manifest::Subscription& on = table.manifest.on.at(0);
  CHECK(on.topic == "a.b");
  CHECK(on.key_field == "id");
  CHECK(on.from_now);
  CHECK(on.once->field == "id");
  CHECK(on.once->within == std::chrono::hours(7 * 24));
  CHECK(on.retry.attempts == 3);
  CHECK(on.retry.backoff_min == std::chrono::milliseconds(250));
  CHECK(on.retry.backoff_max == std::chrono::minutes(1));
  CHECK(on.retry.last == RetryRule::Last::stop);
  CHECK(table.on.at(0).schema->find("id"));
  CHECK(table.on.at(0).handle.find("anything") != kNoRef);
}

TEST_CASE("every needs a period and a handle") {
  check_one("  every = { tick = { handle = function() end } },",
            "4: every.tick has no period (period = \"1m\")");
  check_one("  every = { tick = { period = '1m' } },",
            "4: every.tick has no handle (handle = function(ctx) ... end)");
  check_one("  every = { tick = { period = 0, handle = function() end } },",
            "4: every.tick.period is 0: a duration above zero is needed here");
  check_one("  every = { tick = { period = 1, per = 'lane', handle = function() end } },",
            "4: every.tick.per is \"lane\" (\"deployment\" or \"shard\")");
}

TEST_CASE("routes are checked") {
  const auto route = [](const std::string& name, const std::string& more) {
    return "  routes = { ['" + name + "'] = {\n" + more + " handle = function() end } },";
  };
  check_one(route("GET /a", ""),
            "4: routes[\"GET /a\"] does not say auth (auth = \"none\", or a role like \"admin\")");
  check_one(route("GET a", "auth = 'none',"),
            "4: routes[\"GET a\"] is no route: its path does not begin with /");
  check_one(route("FETCH /a", "auth = 'none',"),
            "4: routes[\"FETCH /a\"] is no route (a method and a path: [\"GET /walls/:id\"])");
  check_one(route("GET /*/a", "auth = 'none',"),
            "4: routes[\"GET /*/a\"] is no route: its * is not the last segment");
  check_one(route("GET /:id/:id", "auth = 'none',"),
            "4: routes[\"GET /:id/:id\"] is no route: it has the parameter \"id\" twice");
  check_one(route("GET /a", "auth = 'none', body = { a = 1 },"),
            "5: routes[\"GET /a\"].body is there, but GET has no body (use query)");
  check_one(route("GET /:id", "auth = { 'player', own = 'name' },"),
            "5: routes[\"GET /:id\"].auth own names \"name\", which the path does not have");
  check_one(route("GET /a", "auth = 'none', params = { id = spec.string },"),
            "5: routes[\"GET /a\"].params.id is not in the path, and not optional (the path has it "
            "as :id)");
  check_one(route("GET /a", "auth = 'none', timeout = 'soon',"),
            "5: routes[\"GET /a\"].timeout is no duration: \"soon\" is no duration: it does not "
            "begin with a number (a number with us, ms, s, m, h or d, like 250ms)");
  check_one(route("POST /a", "auth = 'none', max_body = -1,"),
            "5: routes[\"POST /a\"].max_body is no number of bytes from 1 to 100000000");
  check_one("  routes = { ['GET /a'] = { auth = 'none' } },",
            "4: routes[\"GET /a\"] has no handle (handle = function(ctx, req) ... end)");
}

TEST_CASE("two routes that match the same requests are an error") {
  check_one(R"(  routes = {
    ["GET /a/:x"] = { auth = "none", handle = function() end },
    ["GET /a/:y"] = { auth = "none", handle = function() end },
    ["GET /a/b"] = { auth = "none", handle = function() end },
  },)",
            "6: routes[\"GET /a/:y\"] matches the same requests as \"GET /a/:x\"");
}

TEST_CASE("a limit says how many requests in which time") {
  const auto limit = [](const std::string& fields) {
    return "  routes = { ['GET /a'] = { auth = 'none', handle = function() end,\n limit = { " +
           fields + " } } },";
  };
  const auto read = [&](const std::string& fields) {
    Plugin plugin("return { api = 1, name = 'p',\n" + limit(fields) + "}");
    return *plugin.loaded().manifest.routes.at(0).limit;
  };
  const Manifest::Limit whole = read("rate = 5, per = '1m', burst = 20, by = 'address'");
  CHECK(whole.rate == 5);
  CHECK(whole.per == std::chrono::minutes(1));
  CHECK(whole.burst == 20);
  CHECK_FALSE(whole.by_user);
  const Manifest::Limit least = read("rate = 5");
  CHECK(least.per == std::chrono::seconds(1));
  CHECK(least.burst == 5);
  CHECK(least.by_user);
  const std::string at = "5: routes[\"GET /a\"].limit";
  check_one(limit(""), at + " says no rate (rate = 10: so many requests in each `per`)");
  check_one(limit("rate = 0"), at + ".rate is no whole number from 1 to 1000000");
  check_one(limit("rate = 1.5"), at + ".rate is no whole number from 1 to 1000000");
  check_one(limit("rate = 1, burst = '5'"), at + ".burst is no whole number from 1 to 1000000");
  check_one(limit("rate = 1, by = 'plugin'"), at + ".by is neither \"user\" nor \"address\"");
  check_one(limit("rate = 1, brst = 2"),
            at + ".brst is not a field here (did you mean \"burst\"?)");
  check_one(limit("rate = 1, per = '1h', burst = 10000"),
            at + " takes more than a year to let `burst` requests through again");
  check_one(limit("rate = 1000000, per = '1ms'"),
            at + " lets more than a million requests a second through: leave it out");
}

TEST_CASE("streams say what they stream") {
  const auto stream = [](const std::string& fields) {
    return "  routes = { ['GET /a/:id'] = { auth = 'none', stream = { " + fields + " } } },";
  };
  check_one(stream("topic = 't', key = 'no'"),
            "4: routes[\"GET /a/:id\"].stream.key \"no\" is no parameter of the path");
  check_one(stream("topic = 't', every = '1s'"),
            "4: routes[\"GET /a/:id\"].stream says topic and every: one of them");
  check_one(stream("topic = 't', ky = 'id'"),
            "4: routes[\"GET /a/:id\"].stream.ky is not a field here (did you mean \"key\"?)");
  Plugin plugin(
      "return { api = 1, name = 'p', routes = { ['GET /a/:id'] = { auth = 'none',\n"
      "stream = { topic = 't', key = 'id', map = function() end } } } }");
  CHECK(plugin.loaded().manifest.routes.at(0).stream->has_map);
  CHECK(plugin.table.routes.at(0).map != kNoRef);
  CHECK(plugin.table.routes.at(0).params->find("id")->kind() == Schema::Kind::string);
}

TEST_CASE("a route is read whole") {
  Plugin plugin(kHead + R"(return { api = 1, name = "p", routes = {
    ["POST /walls/:id/*"] = { auth = { "player", "admin", own = "id" }, doc = "makes",
      params = { id = spec.int }, query = { n = 3 }, headers = { ["x-a"] = spec.string },
      body = { ["text/plain"] = spec.string, ["application/json"] = { a = 1 } },
      returns = spec.any, timeout = "5s", max_body = 2000, handle = function() end } } })");
  const PluginTable& table = plugin.loaded();
  const Manifest::Route& route = table.manifest.routes.at(0);
  CHECK(route.method == "POST");
  CHECK(route.pattern == "/walls/:id/*");
  CHECK(route.roles == std::vector<std::string>{"player", "admin"});
  CHECK(route.own_param == "id");
  CHECK_FALSE(route.auth_none);
  CHECK(route.media_types == std::vector<std::string>{"application/json", "text/plain"});
  CHECK(route.timeout == std::chrono::seconds(5));
  CHECK(route.max_body == 2000);
  CHECK(route.doc == "makes");
  CHECK(table.routes.at(0).params->find("id")->kind() == Schema::Kind::integer);
  CHECK(table.routes.at(0).params->find("*")->kind() == Schema::Kind::string);
  CHECK(table.routes.at(0).query->fills_in());
  CHECK(table.routes.at(0).body.at(1).second->kind() == Schema::Kind::string);
}

TEST_CASE("tables only add, and their names begin with the plugin's") {
  check_one("  tables = { 'drop table p_a' },",
            "4: tables[\"#1\"] only adds: create table, create index, alter table ... add column");
  check_one("  tables = {\n 'create table p_a (id text)',\n 'create table q_a (id text)' },",
            "6: tables[\"#2\"] names \"q_a\": names begin with \"p_\"");
  check_one("  tables = { 'create table p_a (id integer)' },",
            "4: tables[\"#1\"] gives the column \"id\" no type of text, bigint, double precision");
  check_one("  tables = { 'create table p_a (id text); select 1' },",
            "4: tables[\"#1\"] holds more than one statement: write one each");
  check_one("  tables = { 'alter table p_a add column b text, drop column c' },",
            "4: tables[\"#1\"] goes on behind its column with \",\"");
  check_one("  tables = { 'create index p_i on q_a (id)' },",
            "4: tables[\"#1\"] names \"q_a\": names begin with \"p_\"");
  CHECK(refused(R"(  tables = {
    [[create table p_a (id text primary key, n bigint not null default 0, x double precision,
      primary key (id, n))]],
    "create unique index p_i on p_a (id desc);",
    "alter table p_a add column more text",
  },)")
            .empty());
}

TEST_CASE("metrics have a kind and a help") {
  check_one("  metrics = { hits = { 'count', 'hits' } },",
            "4: metrics.hits has no kind ({ \"counter\", ... }, \"gauge\" or \"histogram\")");
  check_one("  metrics = { hits = { 'counter' } },",
            "4: metrics.hits has no help ({ \"counter\", \"what it counts\" })");
  Plugin plugin(
      "return { api = 1, name = 'p', metrics = { t = { 'histogram', 'h', "
      "labels = { 'game' } } } }");
  CHECK(plugin.loaded().manifest.metrics.at(0).labels == std::vector<std::string>{"game"});
}

TEST_CASE("a read model emits nothing and has no timers") {
  check_one("  rebuild = true, emits = { 'a' },",
            "4: rebuild is there, but so is emits (a read model can be made again from the log; "
            "this cannot)");
  check_one("  rebuild = true, timers = { a = function() end },",
            "4: rebuild is there, but so are timers (a read model can be made again from the log; "
            "this cannot)");
}

TEST_CASE("smoke cases are functions by sentence") {
  check_one("  smoke = { ['it works'] = true },",
            "4: smoke[\"it works\"] is a boolean, not a function");
  Plugin plugin(
      "return { api = 1, name = 'p', smoke = { b = function() end, a = function() end } }");
  CHECK(plugin.loaded().smoke.at(0).sentence == "a");
  CHECK(plugin.table.smoke.at(1).function != kNoRef);
}

TEST_CASE("literals in calls must be declared") {
  check_one(R"(  emits = { orders = spec.any }, timers = { wake = function() end },
  on = { a = { handle = function(ctx)
    ctx:emit("order", ctx.key, {})
    ctx:emit("orders", ctx.key, {})
    ctx:after("1s", "wake")
    ctx:emit(ctx.topic, "x", {})
  end } },)",
            "6: \"order\" is not in emits (did you mean \"orders\"?)");
  check_one("  timers = { wake = function(ctx)\n ctx:after(f(1, 2), 'wakee', {}) end },",
            "5: \"wakee\" is not in timers (did you mean \"wake\"?)");
  check_one("  every = { a = { period = 1, handle = function(ctx)\n ctx:decide('odds', 1) end } },",
            "5: \"odds\" is not in policies");
  check_one("  every = { a = { period = 1, handle = function(ctx)\n ctx:count('hits') end } },",
            "5: \"hits\" is not in metrics");
}

TEST_CASE("emits finds the exact topic first, then the longest prefix") {
  Plugin plugin(kHead +
                "return { api = 1, name = 'p', emits = { 'plain', ['a*'] = spec.int,\n"
                "['a.b*'] = spec.bool, ['a.b.c'] = spec.string } }");
  const PluginTable& table = plugin.loaded();
  CHECK(table.find_emit("a.b.c")->schema->kind() == Schema::Kind::string);
  CHECK(table.find_emit("a.b.d")->schema->kind() == Schema::Kind::boolean);
  CHECK(table.find_emit("a.x")->schema->kind() == Schema::Kind::integer);
  CHECK(table.find_emit("plain")->schema == nullptr);
  CHECK(table.find_emit("b") == nullptr);
}

TEST_CASE("lines are found in tables that were put together from locals") {
  CHECK(Plugin(R"(local routes = {}
routes["GET /a"] = { auth = "none", handle = function() end }
routes["GET /b"] = {
  handle = function() end,
  cashe = 1,
  auth = "none",
}
return { api = 1, name = "p", routes = routes }
)")
            .refused() ==
        std::vector<std::string>{
            "p.lua:5: routes[\"GET /b\"].cashe is not a field here (did you mean \"cache\"?)"});
}

}  // namespace host::test
