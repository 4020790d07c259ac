#include "tests/unit/script_engine_fixture.h"

namespace host::test {

using Catch::Contains;

namespace {

// A plugin with one route, POST /x, whose handler has this body.
std::string route(const std::string& body, const std::string& more = "") {
  return "local spec = require 'host.spec' return { api = 1, name = 'p', emits = { out = spec.any "
         "},\n"
         "state = { n = 0 }, on = { out = { handle = function() end } },\n"
         "routes = { ['POST /x'] = { auth = 'none', " +
         more + " handle = function(ctx, req)\n" + body + "\nend } } }";
}

HttpResponse answer(const std::string& body, const std::string& more = "",
                    const std::string& sent = "{}") {
  Plugin p(route(body, more));
  auto outcome = p.http(p.request("POST /x", sent));
  INFO(outcome.error.to_string());
  CHECK_FALSE(outcome.failed);
  return outcome.response;
}

std::string failure(const std::string& body, const std::string& more = "") {
  Plugin p(route(body, more));
  auto outcome = p.http(p.request("POST /x", "{}"));
  REQUIRE(outcome.failed);
  CHECK(outcome.response.status == 500);
  CHECK_THAT(outcome.response.body, !Contains("plugins/p.lua"));
  return outcome.error.to_string();
}

std::string header_of(const HttpResponse& response, const char* name) {
  const std::string* value = find_header(response.headers, name);
  return value ? *value : "";
}

}  // namespace

TEST_CASE("a route returns status, body and headers") {
  auto r = answer("return 201, { id = 'a' }, { location = '/x/a' }");
  CHECK(r.status == 201);
  CHECK(r.body == R"({"id":"a"})");
  CHECK(header_of(r, "location") == "/x/a");
  CHECK(header_of(r, "content-type") == "application/json");
  CHECK(answer("return 204").body.empty());
  r = answer("return 200, 'hello'");
  CHECK(r.body == "hello");
  CHECK(header_of(r, "content-type") == "text/plain; charset=utf-8");
}

TEST_CASE("a text with a status from 400 is the detail of a problem document") {
  const auto r = answer("return 409, 'it was stopped'");
  CHECK(r.status == 409);
  CHECK_THAT(r.body, Contains("it was stopped"));
  CHECK(header_of(r, "content-type") == "application/problem+json");
  CHECK(answer("return 404").status == 404);
}

TEST_CASE("nil, err is answered by its code") {
  const auto status = [](const std::string& code) {
    return answer("return nil, { code = '" + code + "', message = 'm' }").status;
  };
  CHECK(status("not_found") == 404);
  CHECK(status("rate_limited") == 429);
  CHECK(status("unavailable") == 503);
  CHECK(status("budget") == 503);
  CHECK(status("timeout") == 504);
  CHECK(status("other") == 500);
  CHECK(header_of(answer("return nil, { code = 'rate_limited', retry_after = 1.2 }"),
                  "retry-after") == "2");
  CHECK(
      header_of(answer("return nil, { code = 'rate_limited', retry_after = 1e300 }"), "retry-after")
          .empty());
}

TEST_CASE("req:invalid is 422 with its list") {
  const auto r = answer("return req:invalid { { at = 'body.n', message = 'too odd' } }");
  CHECK(r.status == 422);
  CHECK_THAT(r.body, Contains(R"("errors":[{"at":"body.n","message":"too odd"}])"));
}

TEST_CASE("a request that does not fit is 422 with every field") {
  Plugin p(route(
      "return 200",
      "query = { limit = spec.int { max = 10 } }, body = { a = spec.int, b = spec.string },"));
  auto call = p.request("POST /x", R"({"a":"x"})");
  call.request.query = {{"limit", "50"}};
  const auto outcome = p.http(call);
  CHECK(outcome.response.status == 422);
  CHECK_FALSE(outcome.failed);
  CHECK_THAT(outcome.response.body, Contains(R"("at":"query.limit")") &&
                                        Contains(R"("at":"body.a")") &&
                                        Contains(R"("at":"body.b")"));
}

TEST_CASE("malformed JSON is 400, another media type 415, a missing body 422") {
  Plugin p(route("return 200, req.body", "body = { a = spec.int },"));
  CHECK(p.http(p.request("POST /x", "{")).response.status == 400);
  CHECK(p.http(p.request("POST /x", R"({"a":99999999999999999999})")).response.status == 400);
  const auto other = p.http(p.request("POST /x", "a", {{"content-type", "text/csv"}}));
  CHECK(other.response.status == 415);
  CHECK_THAT(other.response.body, Contains("application/json"));
  CHECK(p.http(p.request("POST /x", "")).response.status == 422);
  CHECK(p.http(p.request("POST /x", R"({"a":1})", {})).response.body == R"({"a":1})");
  CHECK(p.http(p.request("POST /x", R"({"a":1})",
                         {{"content-type", "Application/JSON; charset=utf-8"}}))
            .response.status == 200);
}

TEST_CASE("a body of defaults may be left out") {
  Plugin p(route("return 200, req.body", "body = { a = 7 },"));
  CHECK(p.http(p.request("POST /x", "")).response.body == R"({"a":7})");
}

TEST_CASE("bodies by media type arrive as their schema says") {
  Plugin p(route("return 200, { type = req.type, body = req.body }",
                 "body = { ['application/json'] = spec.record { a = 1 }, ['text/plain'] = "
                 "spec.string { max = 10 } },"));
  CHECK(p.http(p.request("POST /x", "hi", {{"content-type", "text/plain"}})).response.body ==
        R"({"body":"hi","type":"text/plain"})");
  CHECK(p.http(p.request("POST /x", "hello world", {{"content-type", "text/plain"}}))
            .response.status == 422);
}

TEST_CASE("req has params, query, headers, user and address") {
  Plugin p(R"(local spec = require "host.spec" return { api = 1, name = "p", routes = {
    ["GET /walls/:id"] = { auth = "none", params = { id = spec.int }, query = { all = false }, handle = function(ctx, req)
      return 200, { req.params.id + 1, req.query.all, req.headers["x-a"], req.user.id, req.user.roles, req.address } end } } })");
  auto call = p.request("GET /walls/:id", "", {{"x-a", "b"}});
  call.params = {{"id", "6"}};
  call.request.query = {{"all", "true"}};
  call.user = "ann";
  call.roles = {"player"};
  const auto outcome = p.http(call);
  INFO(outcome.error.to_string());
  CHECK(outcome.response.body == R"([7,true,"b","ann",["player"],"192.0.2.1"])");
}

TEST_CASE("a part of a request is the same table however often it is looked at") {
  const auto r = answer(
      "req.headers.x = 'mine' req.note = 'kept' return 200, { req.headers.x, req.note, "
      "req.query == req.query, req.user == nil, req.nothing == nil, rawequal(req.params, "
      "req.params) }");
  CHECK(r.body == R"(["mine","kept",true,true,true,true])");
}

TEST_CASE("a coroutine of the handler sees its request") {
  CHECK(answer("return 200, coroutine.wrap(function() return req.headers['content-type'] end)()")
            .body == "application/json");
}

TEST_CASE("a request that was kept tells nothing of the next one") {
  Plugin p(R"(local kept = {} return { api = 1, name = "p", routes = {
    ["POST /x"] = { auth = "none", handle = function(ctx, req)
      if kept[1] then return 200, kept[1].headers end
      kept[1] = req
      return 200, req.address end } } })");
  CHECK(p.http(p.request("POST /x")).response.body == "192.0.2.1");
  const auto outcome = p.http(p.request("POST /x", "", {{"x-secret", "alohomora"}}));
  REQUIRE(outcome.failed);
  CHECK_THAT(outcome.error.message, Contains("this request is over"));
  CHECK_THAT(outcome.response.body, !Contains("alohomora"));
}

TEST_CASE("what all requests share cannot be changed") {
  CHECK(answer("return 200, tostring(getmetatable(req))").body == "false");
  CHECK_THAT(failure("setmetatable(req, {})"), Contains("metatable"));
}

TEST_CASE("a request is checked without running anything") {
  Plugin p(R"(local spec = require "host.spec" return { api = 1, name = "p", routes = {
    ["GET /owls/:id"] = { auth = "none", params = { id = spec.int }, stream = { topic = "owls" } } } })");
  auto call = p.request("GET /owls/:id");
  call.kind = ports::Call::Kind::check;
  call.params = {{"id", "7"}};
  CHECK(p.http(call).response.status == 200);
  call.params = {{"id", "x"}};
  CHECK(p.http(call).response.status == 422);
}

TEST_CASE("what a handler emits is its unit") {
  Plugin p(route("ctx:emit('out', 'a', { n = 1 }) return 202"));
  const auto outcome = p.http(p.request("POST /x", "{}"));
  REQUIRE(outcome.unit.emits.size() == 1);
  CHECK(outcome.unit.emits[0].key == "a");
}

TEST_CASE("what a handler sends is bounded with its headers") {
  CHECK_THAT(failure("ctx:emit('out', 'a', {}, { h = ('x'):rep(9e6) }) return 202"),
             Contains("ctx:emit: more than 8 MB in one unit of work"));
}

TEST_CASE("a stream's map is given ctx and the message, and makes the record or leaves it out") {
  Plugin p(R"(local spec = require "host.spec" return { api = 1, name = "p",
    emits = { out = spec.any }, on = { out = { schema = { n = 0 }, handle = function() end } },
    routes = { ["GET /x"] = { auth = "none", stream = { topic = "out", map = function(ctx, msg)
      if msg.n == 0 then return nil end
      if msg.n == 1 then ctx:emit("out", "k", {}) end
      if msg.n == 2 then ctx.state.n = 1 end
      return { key = ctx.key, plugin = ctx.plugin, at = ctx:now(), twice = msg.n * 2 } end } } } })");
  const auto mapped = [&p](const std::string& payload) {
    ports::Call call = Plugin::message("out", payload);
    call.kind = ports::Call::Kind::stream_map;
    const auto started = p.engine->start(std::move(call));
    REQUIRE(started.step.mapped);
    return *started.step.mapped;
  };
  CHECK(mapped(R"({"n":4})") ==
        R"({"at":"2026-11-21T12:00:00Z","key":"k","plugin":"p","twice":8})");
  CHECK(p.log.lines().empty());
  CHECK(mapped("{}").empty());
  CHECK(mapped(R"({"n":1})").empty());
  CHECK_THAT(p.log.lines().back().text, Contains("ctx:emit is not there in a stream's map"));
  CHECK(mapped(R"({"n":2})").empty());
  CHECK_THAT(p.log.lines().back().text, Contains("ctx.state is not there in a stream's map"));
}

TEST_CASE("a handler that raises is 500 without its secrets, with the error for the log") {
  CHECK_THAT(failure("error('secret detail')"), Contains("plugins/p.lua:4: secret detail"));
  CHECK_THAT(failure("return 'x'"), Contains("status"));
  CHECK_THAT(failure("return 99"), Contains("from 200 to 599"));
  CHECK_THAT(failure("return 404, function() end"), Contains("the body of a success"));
  CHECK_THAT(failure("return 200, function() end", "returns = { a = 1 },"),
             Contains("not spec.lines(...)"));
  CHECK_THAT(failure("return 200, {}", "returns = spec.lines(spec.int),"),
             Contains("the body is no iterator"));
  CHECK_THAT(failure("return 1e300"), Contains("from 200 to 599"));
  CHECK_THAT(failure("return 200, { n = 0/0 }"), Contains("n"));
  CHECK_THAT(failure("return 200, {}, { ['content-length'] = '1' }"),
             Contains("cannot be returned"));
  CHECK_THAT(failure("return 200, {}, { x = 'a\\nb' }"), Contains("cannot be returned"));
  CHECK_THAT(failure("return 200, { a = 'x' }", "returns = { a = spec.int },"), Contains("a:"));
  CHECK_THAT(failure("ctx.state.n = 1 return 200"), Contains("use ctx:read(key)"));
  CHECK_THAT(failure("local x = 'x' ctx:after(1, x)"), Contains("not there in an HTTP handler"));
  CHECK_THAT(failure("ctx:exec('delete from p_t')"), Contains("not there in an HTTP handler"));
  const ShortTurns short_turns;
  CHECK_THAT(failure("while true do end"), Contains("CPU time"));
}

}  // namespace host::test
