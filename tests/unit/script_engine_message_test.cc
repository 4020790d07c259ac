#include "tests/unit/script_engine_fixture.h"

namespace host::test {

using Catch::Contains;
using Kind = Outcome::Kind;

TEST_CASE("a handler's state and messages are its unit of work") {
  Plugin p(
      handler("ctx.state.n = ctx.state.n + msg.by ctx:emit('out', ctx.key, { n = ctx.state.n })"));
  const UnitOfWork unit = p.done(R"({"by":2})");
  REQUIRE(unit.state);
  CHECK(unit.state->bytes == R"({"n":2})");
  REQUIRE(unit.emits.size() == 1);
  CHECK(unit.emits[0].topic == "out");
  CHECK(unit.emits[0].key == "k");
  CHECK(unit.emits[0].payload == R"({"n":2})");
}

TEST_CASE("a stored state is read, and unchanged it is not saved") {
  Plugin p(handler("if msg.by then ctx.state.n = ctx.state.n + msg.by end return ctx.state.n"));
  auto call = Plugin::message("in", R"({"by":1})");
  call.state = std::make_shared<const ports::StateRow>(Plugin::state(R"({"n":41})"));
  Outcome outcome = p.run(call);
  REQUIRE(outcome.unit.state);
  CHECK(outcome.unit.state->bytes == R"({"n":42})");
  call = Plugin::changed(call, [](Message& m) { m.payload = "{}"; });
  CHECK_FALSE(p.run(call).unit.state.has_value());
  CHECK_FALSE(p.done("{}").state.has_value());
}

TEST_CASE("ctx.state can be replaced by a table only") {
  Plugin p(handler("ctx.state = msg.with"));
  CHECK(p.done(R"({"with":{"n":5}})").state->bytes == R"({"n":5})");
  CHECK_THAT(p.failure(R"({"with":3})"), Contains("ctx.state must be a table"));
}

TEST_CASE("a state that is no JSON is an error that names the path") {
  CHECK_THAT(Plugin(handler("ctx.state.any = { f = function() end }")).failure(),
             Contains("any.f"));
  CHECK_THAT(Plugin(handler("ctx.state.any = { 0/0 }")).failure(), Contains("any[1]"));
  CHECK_THAT(Plugin(handler("local t = {} t.t = t ctx.state.any = t")).failure(), Contains("any"));
  CHECK_THAT(Plugin(handler("ctx.state.any = { [true] = 1 }")).failure(), Contains("any"));
  CHECK_THAT(Plugin(handler("ctx.state.n = 'x'")).failure(), Contains("n:"));
  CHECK_THAT(Plugin(handler("ctx.state.nn = 1")).failure(), Contains("nn"));
  CHECK_THAT(Plugin(handler("ctx.state.note = ('x'):rep(300000)")).failure(),
             Contains("ctx.state is too large") && Contains("262144"));
}

TEST_CASE("a message without key has no state, and touching it raises") {
  Plugin p(handler("if msg.touch then ctx.state.n = 1 end ctx:emit('out', ctx.key, {})"));
  const Outcome kept = p.send("{}", std::nullopt);
  REQUIRE(kept.kind == Kind::done);
  CHECK_FALSE(kept.unit.emits[0].key);
  const Outcome touched = p.send(R"({"touch":true})", std::nullopt);
  CHECK(touched.kind == Kind::failed);
  CHECK_THAT(touched.error.to_string(), Contains("plugins/p.lua:3") && Contains("has no key"));
}

TEST_CASE("an old state is migrated, a newer one is not read") {
  Plugin p(R"(local spec = require "host.spec"
    return { api = 1, name = "p", state = { points = 0 },
      migrate = { [1] = function(old) return { points = old.n * 10 } end },
      on = { ["in"] = { handle = function(ctx, msg) ctx.state.points = ctx.state.points + 1 end } } })");
  REQUIRE(p.revision->manifest().state_version == 2);
  auto call = Plugin::message("in", "{}");
  call.state = std::make_shared<const ports::StateRow>(Plugin::state(R"({"n":4})", 1));
  CHECK(p.run(call).unit.state->bytes == R"({"points":41})");
  call.state = std::make_shared<const ports::StateRow>(Plugin::state(R"({"points":1})", 3));
  const Outcome newer = p.run(call);
  CHECK(newer.kind == Kind::failed);
  CHECK_THAT(newer.error.message, Contains("version 3"));
}

TEST_CASE("fields of ctx say what is handled") {
  Plugin p(
      handler("ctx:emit('out', 'a', { ctx.plugin, ctx.topic, ctx.id, ctx.key, ctx.attempt, "
              "ctx.last_attempt,"
              " ctx.exists, ctx.shard, ctx.headers.h, ctx.correlation_id, ctx:now() })"));
  auto call = Plugin::changed(Plugin::message("in", "{}"), [](Message& m) {
    m.headers = {{"h", "v"}};
    m.attempt = 2;
  });
  call.last_attempt = true;
  call.correlation_id = "c-1";
  const Outcome outcome = p.run(call);
  REQUIRE(outcome.kind == Kind::done);
  CHECK(outcome.unit.emits[0].payload ==
        R"(["p","in","sender/0/1-7","k",2,true,false,3,"v","c-1","2026-11-21T12:00:00Z"])");
}

TEST_CASE("input that does not decode or fit is dead at once, with the field") {
  Plugin p(R"(local spec = require "host.spec" return { api = 1, name = "p", on = { ["in"] = {
    schema = { amount = spec.int { min = 1 } }, handle = function() end } } })");
  Outcome outcome = p.send("{");
  CHECK(outcome.kind == Kind::dead);
  CHECK(outcome.error.code == Error::Code::invalid);
  outcome = p.send(R"({"amount":0})");
  CHECK(outcome.kind == Kind::dead);
  CHECK_THAT(outcome.error.message, Contains("amount"));
  CHECK(outcome.error.file == "plugins/p.lua");
  CHECK(outcome.error.line == 2);
  CHECK(p.send(R"({"amount":1})").kind == Kind::done);
}

TEST_CASE("a tagged message goes to the handler of its tag") {
  Plugin p(
      R"(local spec = require "host.spec" return { api = 1, name = "p", state = { log = "" }, on = { ["in"] = {
    schema = spec.tagged("type", { A = { x = 0 }, B = {} }),
    handle = { A = function(ctx, m) ctx.state.log = "A" .. m.x end, B = function(ctx) ctx.state.log = "B" end } } } })");
  CHECK(p.done(R"({"type":"A","x":4})").state->bytes == R"({"log":"A4"})");
  CHECK(p.done(R"({"type":"B"})").state->bytes == R"({"log":"B"})");
  CHECK(p.send(R"({"type":"C"})").kind == Kind::dead);
}

TEST_CASE("a handler that raises has failed with its line, and the next one runs") {
  Plugin p(handler("if msg.bad then local x = nil\nreturn x.y end ctx.state.n = 1"));
  const Outcome outcome = p.send(R"({"bad":true})");
  CHECK(outcome.kind == Kind::failed);
  CHECK(outcome.error.file == "plugins/p.lua");
  CHECK(outcome.error.line == 4);
  CHECK_FALSE(outcome.unit.state);
  CHECK(p.done().state);
}

TEST_CASE("an error without a line of its own names the line that raised it, or the handler's") {
  const auto failed = [](const std::string& body) {
    return Plugin(handler(body)).send("{}").error;
  };
  Error error = failed("\nerror({ code = 7 })");
  CHECK(error.message == "the script raised a table instead of a text");
  CHECK(error.line == 4);
  error = failed("\nlocal function fail(err)\nerror(err) end\nfail({ message = 'not there' })");
  CHECK(error.message == "the script raised a table instead of a text: not there");
  CHECK(error.line == 5);
  CHECK(failed("\n\ncoroutine.yield(1)").line == 5);
  error = failed("\nlocal wrong = coroutine.wrap(5)");  // raised in the host's own Lua code
  CHECK(error.file == "plugins/p.lua");
  CHECK(error.line == 4);
  error = failed("\nctx.state.n = print");
  CHECK_THAT(error.message, Contains("ctx.state cannot be saved"));
  CHECK(error.file == "plugins/p.lua");
  CHECK(error.line == 2);  // where the handler begins
}

TEST_CASE("ctx:all inside of itself without end is an error") {
  CHECK_THAT(Plugin(handler("local function f() ctx:all { f } end f()")).failure(),
             Contains("nested too deep"));
}

TEST_CASE("a long error is cut, between two characters") {
  Plugin p(handler("error(('ü'):rep(1e5), 0)"));
  const std::string message = p.send("{}").error.message;
  CHECK(message.size() < 10'000);
  CHECK(message.ends_with("ü..."));
}

TEST_CASE("a handler that runs away has failed, and the next one runs") {
  const ShortTurns short_turns;
  Plugin p(handler("while msg.forever do end ctx.state.n = 1"));
  const Outcome outcome = p.send(R"({"forever":true})");
  CHECK(outcome.kind == Kind::failed);
  CHECK_THAT(outcome.error.message, Contains("of CPU time in one turn"));
  CHECK(p.done().state);
}

TEST_CASE("ctx:retry and ctx:dead leave the handler, also through pcall and coroutines") {
  Plugin p(handler(R"(
    local how = { retry = function() ctx:retry("3s", "busy") end, dead = function() ctx:dead("why") end,
      pcall = function() pcall(function() ctx:retry() end) end,
      coroutine = function() coroutine.wrap(function() ctx:dead("inside") end)() end,
      sort = function() pcall(table.sort, { 2, 1 }, function() ctx:dead("sorting") end) end,
      gsub = function() pcall(string.gsub, "a", "a", function() ctx:retry("1m") end) end,
      all = function() ctx:all { function() ctx:dead("all") end } end }
    ctx.state.n = 1
    how[msg.how]()
    if msg.how ~= "sort" and msg.how ~= "gsub" then error("not left") end)"));
  Outcome outcome = p.send(R"({"how":"retry"})");
  CHECK(outcome.kind == Kind::retry);
  CHECK(outcome.delay == Duration(std::chrono::seconds(3)));
  CHECK(outcome.error.message == "busy");
  CHECK_FALSE(outcome.unit.state);
  outcome = p.send(R"({"how":"dead"})");
  CHECK(outcome.kind == Kind::dead);
  CHECK(outcome.error.message == "why");
  CHECK(p.send(R"({"how":"pcall"})").kind == Kind::retry);
  CHECK(p.send(R"({"how":"coroutine"})").error.message == "inside");
  CHECK(p.send(R"({"how":"sort"})").error.message == "sorting");
  CHECK(p.send(R"({"how":"gsub"})").kind == Kind::retry);
  CHECK(p.send(R"({"how":"all"})").error.message == "all");
}

TEST_CASE("timers are set for the key, with ids of constant length that repeat") {
  const std::string text =
      R"(local spec = require "host.spec" return { api = 1, name = "p", state = { n = 0, id = "" },
    timers = { ring = { schema = { n = 1 }, handle = function(ctx, m) ctx.state.n = m.n end }, plain = function(ctx, m)
      ctx.state.n = m == nil and 7 or 8 end },
    on = { ["in"] = { handle = function(ctx, msg)
      ctx.state.id = ctx:after("2s", "ring", { n = 5 })
      ctx:after(0, "plain") ctx:at(ctx:now() + "1h", "plain") ctx:cancel("ring") end } } })";
  Plugin p(text);
  const UnitOfWork unit = p.done();
  REQUIRE(unit.timers.size() == 4);
  const auto& ring = std::get<TimerSet>(unit.timers[0]);
  CHECK(ring.name == "ring");
  CHECK(ring.payload == R"({"n":5})");
  CHECK(ring.due == kNoon + std::chrono::seconds(3));
  CHECK(ring.id.size() == 33);
  CHECK(std::get<TimerSet>(unit.timers[1]).id != ring.id);
  CHECK(std::get<TimerSet>(unit.timers[2]).due == kNoon + std::chrono::hours(1));
  CHECK(std::get<TimerCancel>(unit.timers[3]).id_or_name == "ring");
  CHECK(std::get<TimerSet>(p.done().timers[0]).id == ring.id);

  CHECK(p.run(Plugin::timer("ring", R"({"n":9})")).unit.state->bytes == R"({"id":"","n":9})");
  CHECK(p.run(Plugin::timer("ring")).unit.state->bytes == R"({"id":"","n":1})");
  CHECK(p.run(Plugin::timer("plain")).unit.state->bytes == R"({"id":"","n":7})");
  CHECK(p.run(Plugin::timer("gone")).kind == Kind::dead);
}

TEST_CASE("an every handler has no key and no state") {
  Plugin p(R"(return { api = 1, name = "p", emits = { "out" }, state = { n = 0 }, every = {
    tick = { period = "1m", handle = function(ctx) ctx:emit("out", "a", { shard = ctx.shard }) end },
    bad = { period = "1m", handle = function(ctx) ctx.state.n = 1 end } } })");
  CHECK(p.run(Plugin::every("tick")).unit.emits[0].payload == R"({"shard":3})");
  CHECK_THAT(p.run(Plugin::every("bad")).error.message, Contains("ctx.state is not there"));
}

TEST_CASE("forget drops the state, with a quiet time") {
  Plugin p(handler("ctx.state.n = 9 ctx:forget(msg.quiet)"));
  const UnitOfWork unit = p.done(R"({"quiet":"1m"})");
  REQUIRE(unit.state);
  CHECK_FALSE(unit.state->bytes);
  CHECK(unit.state->quiet_until == kNoon + std::chrono::seconds(61));
  CHECK_FALSE(p.done("{}").state->quiet_until);
}

TEST_CASE("forget takes along what was set before it, and a state changed after it is an error") {
  Plugin p(
      handler("ctx:after(1, 't') ctx.state.n = 9 ctx:forget()\n"
              "if msg.timer then ctx:after(2, 't') end\n"
              "if msg.n then ctx.state.n = msg.n end\n"
              "ctx:emit('out', 'k', { n = ctx.state.n })",
              "timers = { t = function() end },"));
  auto call = Plugin::message("in", "{}");
  call.state = std::make_shared<const ports::StateRow>(Plugin::state(R"({"n":41})"));
  const UnitOfWork unit = p.run(call).unit;
  REQUIRE(unit.state);
  CHECK_FALSE(unit.state->bytes);
  CHECK(unit.timers.empty());
  CHECK(unit.emits.at(0).payload == R"({"n":0})");
  CHECK(p.done(R"({"timer":true})").timers.size() == 1);
  CHECK_THAT(p.failure(R"({"n":1})"), Contains("changed after ctx:forget()"));
}

TEST_CASE("the last reply counts") {
  Plugin p(handler("ctx:reply { n = 1 } ctx:reply { n = 2 }"));
  CHECK(p.done().reply == R"({"n":2})");
}

TEST_CASE("misuse of emit raises with the script's line and what is wrong") {
  const auto fails = [](const std::string& call) {
    return Plugin(handler(call, R"(
    config = { x = 1 },)"))
        .failure();
  };
  CHECK_THAT(fails("local topic = 'ou' .. 'tt' ctx:emit(topic, 'k', {})"),
             Contains("plugins/p.lua:4: ") && Contains("did you mean 'out'"));
  CHECK_THAT(fails("ctx:emit('out', '', {})"), Contains("bad key"));
  CHECK_THAT(fails("ctx:emit('out', ('k'):rep(513), {})"), Contains("bad key"));
  CHECK_THAT(fails("ctx:emit('out', 7, {})"), Contains("the key must be text"));
  CHECK_THAT(fails("ctx:emit('out', 'k', { f = print })"), Contains("f"));
  CHECK_THAT(fails("ctx:emit('out', 'k', {}, { ['host-id'] = 'x' })"), Contains("reserved"));
  CHECK_THAT(fails("ctx:emit('out', 'k', ('x'):rep(900001))"), Contains("too large"));
  CHECK_THAT(fails("for i = 1, 1001 do ctx:emit('out', 'k', {}) end"),
             Contains("more than 1000 messages"));
  CHECK_THAT(fails("ctx.emit('out', 'k', {})"), Contains("call it with a colon"));
  CHECK_THAT(fails("local c = ctx c:emitt('out', 'k', {})"),
             Contains("ctx has no 'emitt'") && Contains("'emit'"));
  CHECK_THAT(fails("ctx.total = 1"), Contains("cannot be set"));
  CHECK_THAT(fails("ctx.log.info = print"), Contains("ctx.log is read-only"));
  CHECK_THAT(fails("ctx.log.wran('x')"), Contains("did you mean \"warn\"?"));
  CHECK_THAT(fails("ctx:ask('out', 'k', {})"), Contains("not there in the handler of a message"));
  CHECK_THAT(fails("local ring = 'ring' ctx:after('x', ring)"), Contains("the delay"));
  CHECK_THAT(fails("local ring = 'ring' ctx:after(1, ring)"), Contains("there is no timer 'ring'"));
  CHECK_THAT(fails("coroutine.yield(1)"), Contains("coroutine.yield outside"));
  CHECK_THAT(fails("total = 1"), Contains("keeps nothing between messages"));
  CHECK_THAT(fails("ctx:llm { prompt = 'x' }"), Contains("ctx:llm is not in this version"));
  CHECK_THAT(fails("table.sort({ 2, 1 }, function() ctx:yield() end)"),
             Contains("cannot wait here"));
}

TEST_CASE("emit encodes at once, by the topic's schema") {
  Plugin p(R"(local spec = require "host.spec" return { api = 1, name = "p",
    emits = { out = { n = spec.int, word = "w" }, ["log.*"] = spec.any },
    on = { ["in"] = { handle = function(ctx, msg) local t = { n = msg.n } ctx:emit("out", "a", t) t.n = 99
      ctx:emit("log.x", "b", { 1 }, { kind = "test" }) end } } })");
  const UnitOfWork unit = p.done(R"({"n":1})");
  CHECK(unit.emits[0].payload == R"({"n":1,"word":"w"})");
  CHECK(unit.emits[1].topic == "log.x");
  CHECK(unit.emits[1].headers == Headers{{"kind", "test"}});
  CHECK_THAT(p.failure(R"({"n":"x"})"), Contains("n:"));
}

TEST_CASE("a small value that unfolds without end is refused") {
  Plugin p(handler("local t = {} for i = 1, 40 do t = { t, t } end ctx:emit('out', 'k', t)"));
  CHECK_THAT(p.failure(), Contains("16 MB"));
}

TEST_CASE("an error names the whole file, however long its name is") {
  const std::string deep = "scripts/policies/" + std::string(70, 'x') + "/far.lua";
  const std::string module = "policies." + std::string(70, 'x') + ".far";
  Plugin p(handler("ctx:decide('far', {})", "policies = { far = { '" + module + "' } },"), {}, {},
           {{deep, "return { decide = function() error('there') end }"}});
  const Outcome outcome = p.send("{}");
  CHECK(outcome.error.file == deep);
  CHECK(outcome.error.line == 1);
}

TEST_CASE("coroutines are admitted up to the limit, and ended ones make room") {
  Plugin p(handler("ctx:yield()"), {.max_running = 3});
  std::vector<std::unique_ptr<ports::Task>> tasks;
  while (p.engine->admits()) {
    auto started = p.engine->start(Plugin::message("in", "{}"));
    REQUIRE(started.task);
    tasks.push_back(std::move(started.task));
  }
  CHECK(tasks.size() == 3);
  tasks.pop_back();
  CHECK(p.engine->admits());
}

TEST_CASE(
    "out of memory alone is a failure, beside others it is run again, and the engine is renewed") {
  Plugin p(handler("if msg.wait then ctx:yield() end if msg.bomb then local t = {} for i = 1, 1e9 "
                   "do t[i] = {} end end"),
           {.memory_cap = 16u << 20});
  {
    auto waiting = p.engine->start(Plugin::message("in", R"({"wait":true})"));
    REQUIRE(waiting.task);
    const Outcome beside = p.send(R"({"bomb":true})");
    CHECK(beside.kind == Kind::again);
    CHECK(beside.error.code == Error::Code::exhausted);
    CHECK(p.engine->broken());
    CHECK_FALSE(p.engine->admits());
  }
  p.renew();
  const Outcome alone = p.send(R"({"bomb":true})");
  CHECK(alone.kind == Kind::failed);
  CHECK_THAT(alone.error.message, Contains("memory"));
}

TEST_CASE("garbage that a script left keeps nobody out") {
  Plugin p(handler("local t = {} for i = 1, 11 do t[i] = ('x'):rep(1e6) .. i end"),
           {.memory_cap = 16u << 20});
  p.done();
  CHECK(p.engine->memory_bytes() > 11'000'000);
  CHECK(p.engine->admits());
  CHECK(p.engine->memory_bytes() < 11'000'000);
}

TEST_CASE("a turn that was cut is a timeout, and what it left in memory goes with its state") {
  const ShortTurns time_to_fill_it(std::chrono::seconds(1));
  Plugin p(
      handler("local t = {} for i = 1, 11 do t[i] = ('x'):rep(1e6) .. i end while true do end"),
      {.memory_cap = 16u << 20});
  const Outcome outcome = p.send("{}");
  CHECK(outcome.kind == Kind::failed);
  CHECK(outcome.error.code == Error::Code::timeout);
  CHECK(p.engine->broken());
  p.renew();
  CHECK(p.engine->admits());
}

TEST_CASE("logs carry plugin, key and id, and secrets are masked") {
  Plugin p(handler("ctx.log.warn('token ' .. ctx.config.token, { token = ctx.config.token, n = 1 "
                   "}) print('raw', ctx.config.token)",
                   "config = { token = spec.string { secret = true } },"),
           {}, {{"token", {.text = "s3cret"}}});
  p.done();
  const auto lines = p.log.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].level == ports::LogLevel::warn);
  CHECK(lines[0].text == "token ***");
  CHECK(lines[1].text == "raw\t***");
  std::map<std::string, std::string> fields(lines[0].fields.begin(), lines[0].fields.end());
  CHECK(fields["plugin"] == "p");
  CHECK(fields["key"] == "k");
  CHECK(fields["id"] == "sender/0/1-7");
  CHECK(fields["token"] == "***");
  CHECK(fields["n"] == "1");
}

TEST_CASE("secrets inside of a setting are masked, and one that begins another whole") {
  Plugin p(handler("local c = ctx.config\n"
                   "print(c.mail.password, c.keys[1], c.keys[2], c.mail.user)",
                   "config = { mail = { user = 'ann', password = spec.string { secret = true } },"
                   " keys = spec.list(spec.string) { secret = true } },"),
           {},
           {{"mail", {.text = R"({"password":"abc"})", .is_json = true}},
            {"keys", {.text = R"(["abcdef","xyz"])", .is_json = true}}});
  p.done();
  REQUIRE(p.log.lines().size() == 1);
  CHECK(p.log.lines()[0].text == "***\t***\t***\tann");
}

TEST_CASE("metrics are declared, prefixed and labelled") {
  Plugin p(handler(
      "ctx:count('hits', 2, { kind = 'a' }) ctx:gauge('size', 5) ctx:observe('took', 0.5)"
      " local hit, hits = 'hit', 'hits' if msg.bad then ctx:count(hit) end if msg.kind then "
      "ctx:gauge(hits, 1) end if msg.nan then ctx:observe('took', 0 / 0) end",
      "metrics = { hits = { 'counter', 'h', labels = { 'kind' } }, size = { 'gauge', 's' }, "
      "took = { 'histogram', 't' } },"));
  p.done();
  CHECK(p.metrics.values["p_hits_total kind=a"] == 2);
  CHECK(p.metrics.values["p_size"] == 5);
  CHECK(p.metrics.values["p_took"] == 0.5);
  CHECK(p.metrics.kinds["p_hits_total"] == "counter");
  CHECK_THAT(p.failure(R"({"bad":true})"), Contains("did you mean 'hits'"));
  CHECK_THAT(p.failure(R"({"kind":true})"), Contains("declared as a counter"));
  CHECK_THAT(p.failure(R"({"nan":true})"), Contains("must be a finite number"));
}

TEST_CASE("the key and once fields of a payload are found, or it is said why not") {
  Plugin p(handler(""));
  Manifest::Subscription on;
  on.key_field = "id";
  on.once = Manifest::Once{"event", {}};
  const auto found = p.engine->inspect(on, R"({"id":"a","event":"e1"})");
  REQUIRE(found.ok());
  CHECK(found->key == "a");
  CHECK(found->once == "e1");
  CHECK_THAT(p.engine->inspect(on, R"({"id":5,"event":"e"})").error().message, Contains("'id'"));
  CHECK_THAT(p.engine->inspect(on, "[").error().message, Contains("not JSON"));
  CHECK_THAT(p.engine->inspect(on, R"({"id":"a"})").error().message,
             Contains("'event' is missing"));
}

}  // namespace host::test
