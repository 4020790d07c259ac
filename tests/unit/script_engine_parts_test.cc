// Bodies of lines: NDJSON in both directions.
#include "tests/unit/script_engine_fixture.h"

namespace host::test {

using Catch::Contains;

namespace {

const std::string kTables = "tables = { 'create table p_t (n bigint)' }, ";

std::string route(const std::string& body, const std::string& more = "") {
  return "local spec = require 'host.spec' return { api = 1, name = 'p', emits = { out = spec.any "
         "}, " +
         kTables + "routes = { ['POST /x'] = { auth = 'none', " + more +
         " handle = function(ctx, req)\n" + body + "\nend } } }";
}

/// An answer in parts, driven by hand.
class Parts {
 public:
  explicit Parts(const std::string& body, const std::string& more = "")
      : plugin_(route(body, more)), started_(plugin_.engine->start(plugin_.request("POST /x"))) {
    step_ = std::move(started_.step);
  }
  ~Parts() { started_.task.reset(); }

  const ports::HttpOutcome& head() {
    REQUIRE(step_.http);
    INFO(step_.http->error.to_string());
    REQUIRE(step_.http->in_parts);
    REQUIRE(started_.task);
    return *step_.http;
  }
  ports::Step& next(std::size_t bytes = 1000) {
    REQUIRE(started_.task);
    step_ = started_.task->next_part(bytes);
    return step_;
  }
  ports::Step& answer(ports::EffectAnswer answer) {
    REQUIRE(step_.effects.size() == 1);
    step_ = started_.task->resume(step_.effects[0].id, std::move(answer));
    return step_;
  }
  ports::Step& step() { return step_; }
  /// The error of an iterator that failed.
  std::string failure() {
    REQUIRE(step_.http);
    REQUIRE(step_.http->failed);
    return step_.http->error.to_string();
  }
  Plugin& plugin() { return plugin_; }

 private:
  Plugin plugin_;
  ports::Engine::Started started_;
  ports::Step step_;
};

const char* const kCount =
    "local n = 0 return 200, function() n = n + 1 if n <= 3 then return { n = n } end end";

}  // namespace

TEST_CASE("an iterator makes a body of lines") {
  Parts p(kCount);
  CHECK(*find_header(p.head().response.headers, "content-type") == "application/x-ndjson");
  CHECK(p.plugin().engine->admits());
  const ports::BodyPart part = p.next().part.value();
  CHECK(part.bytes == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
  CHECK(part.last);
}

TEST_CASE("a part ends when enough bytes are there, and the next one goes on") {
  Parts p(kCount);
  CHECK(p.next(1).part->bytes == "{\"n\":1}\n");
  CHECK_FALSE(p.step().part->last);
  CHECK(p.next(10).part->bytes == "{\"n\":2}\n{\"n\":3}\n");
  CHECK(p.next(10).part->last);
  CHECK(p.step().part->bytes.empty());
}

TEST_CASE("what the handler sent before its iterator is its unit, later it may send nothing") {
  Parts p("ctx:emit('out', 'k', {}) return 200, function() ctx:emit('out', 'k', {}) end");
  CHECK(p.head().unit.emits.size() == 1);
  p.next();
  CHECK_THAT(p.failure(), Contains("plugins/p.lua:2") && Contains("the handler has returned"));
}

TEST_CASE("an iterator that raises, or ends in an error, fails") {
  Parts raises("return 200, function() error('no more') end");
  raises.next();
  CHECK_THAT(raises.failure(), Contains("plugins/p.lua:2: no more"));
  Parts ends("return 200, function() return nil, { message = 'away' } end");
  ends.next();
  CHECK_THAT(ends.failure(), Contains("ended with an error: away"));
}

TEST_CASE("a line that cannot be written fails, with the reason") {
  Parts two("return 200, function() return 1, 2 end");
  two.next();
  CHECK_THAT(two.failure(), Contains("one value a line"));
  Parts wrong("return 200, function() return { n = 'x' } end",
              "returns = spec.lines { n = spec.int },");
  wrong.next();
  CHECK_THAT(wrong.failure(), Contains("n: is text"));
  Parts nan("return 200, function() return { n = 0 / 0 } end");
  nan.next();
  CHECK_THAT(nan.failure(), Contains("does not fit"));
}

TEST_CASE("an iterator that never ends a turn is stopped") {
  const ShortTurns short_turns;
  Parts p("return 200, function() while true do end end");
  p.next();
  CHECK_THAT(p.failure(), Contains("CPU time"));
}

TEST_CASE("an iterator may wait, and goes on where it was") {
  Parts p(
      "local done return 200, function() if done then return nil end done = true "
      "ctx:yield() return 'after' end");
  CHECK_FALSE(p.next().part);
  CHECK(p.answer(std::monostate{}).part->bytes == "\"after\"\n");
  CHECK(p.step().part->last);
}

TEST_CASE("rows are asked for page by page, as they are sent") {
  Parts p(
      "return 200, ctx:rows('select n, at from p_t where n > :n', { n = 4 }, { at = spec.time })");
  const auto effect = std::get<ports::RowsEffect>(p.step().effects.at(0).what);
  CHECK(effect.cursor == 0);
  CHECK(effect.statement.parameters.at("n") == SqlValue(std::int64_t{4}));
  const std::string at = "2026-11-21T12:00:00.000000Z";
  p.answer(ports::RowsAnswer{{{"n", "at"}, {{std::int64_t{5}, at}}}, 7});
  p.head();
  CHECK_FALSE(p.next().part);
  CHECK(std::get<ports::RowsEffect>(p.step().effects.at(0).what).cursor == 7);
  p.answer(ports::RowsAnswer{{{"n", "at"}, {{std::int64_t{6}, at}}}, 0});
  CHECK(p.step().part->bytes ==
        "{\"at\":\"2026-11-21T12:00:00Z\",\"n\":5}\n{\"at\":\"2026-11-21T12:00:00Z\",\"n\":6}\n");
  CHECK(p.step().part->last);
}

TEST_CASE("rows that the database refuses raise where they are asked for") {
  Parts p("return 200, ctx:rows('select n from p_t')");
  p.answer(make_error(Error::Code::invalid, "no such column: n"));
  CHECK_THAT(p.failure(), Contains("plugins/p.lua:2: ctx:rows: no such column"));
  Parts away("return 200, ctx:rows('select n from p_t')");
  away.answer(retryable_error(Error::Code::unavailable, "away"));
  CHECK(away.step().http->response.status == 503);
  Parts wrong("return 200, ctx:rows(7)");
  CHECK_THAT(wrong.failure(), Contains("the statement must be text"));
}

TEST_CASE("a body of lines is a list of values and problems") {
  Plugin p(route("return 200, req.body",
                 "body = spec.lines({ n = spec.int { max = 5 } }, { max = 4 }),"));
  const Headers lines{{"content-type", "application/x-ndjson"}};
  const auto body = [&](const std::string& sent) {
    return p.http(p.request("POST /x", sent, lines)).response;
  };
  CHECK(body("{\"n\":1}\n\n{\"n\":9}\r\nnull\n{\"n\":1}").body ==
        R"([{"line":1,"value":{"n":1}},{"line":3,"problem":"n: is more than 5"},)"
        R"({"line":4,"problem":"is null, not a record"},{"line":5,"value":{"n":1}}])");
  CHECK_THAT(body("{").body, Contains(R"([{"line":1,"problem":"is not JSON)"));
  CHECK(body("").body == "[]");
  CHECK(body("1\n2\n3\n4\n5").status == 422);
  CHECK_THAT(body("1\n2\n3\n4\n5").body, Contains("more than 4 lines"));
  CHECK(p.http(p.request("POST /x", "{}")).response.status == 415);
}

}  // namespace host::test
