#include <nlohmann/json.hpp>

#include "tests/unit/script_schema_fixture.h"

namespace host::test {

using Catch::Contains;

namespace {

struct Case {
  const char* schema;
  const char* good;     // JSON that comes out as it went in
  const char* bad;      // JSON that does not
  const char* message;  // the violation
};

const Case kCases[] = {
    {"spec.any", R"({"a":[1,null,true,"x",{}],"b":[]})", "tru",
     "is not JSON: parse error at line 1, column 4: syntax error while parsing value - invalid "
     "literal; last read: 'tru'"},
    {"spec.string", R"("a\u0000\n\"ü")", "1", "is a number, not text"},
    {"spec.string { min = 2 }", R"("üü")", R"("ü")", "has fewer than 2 characters"},
    {"spec.string { max = 1 }", R"("ü")", R"("ab")", "has more than 1 character"},
    {"spec.string { pattern = '^%l+$' }", R"("ab")", R"("aB")", "does not match the pattern ^%l+$"},
    {"spec.int", "9007199254740993", "1.5", "is not a whole number"},
    {"spec.int", "-9223372036854775808", "true", "is true or false, not a whole number"},
    {"spec.int { min = 1, max = 3 }", "3", "4", "is more than 3"},
    {"spec.int { min = 1 }", "1", "0", "is less than 1"},
    {"spec.number", "0.1", R"("0.1")", "is text, not a number"},
    {"spec.number { max = 0.5 }", "0.5", "0.6", "is more than 0.5"},
    {"spec.bool", "false", "0", "is a number, not true or false"},
    {"spec.money", "2.50", "2.505", "has more than two decimals"},
    {"spec.money", "70000000000000.00", "70000000000000.01",
     "is no amount of money up to 70 trillion"},
    {"spec.money { min = '1', max = '2.5' }", "2.50", "2.51", "is more than 2.50"},
    {"spec.time", R"("2026-11-21T12:00:00.5Z")", R"("noon")",
     "is not a time like \"2026-11-21T12:00:00Z\""},
    {"spec.time { min = '2026-01-01T00:00:00Z' }", R"("2026-01-01T00:00:00Z")",
     R"("2025-12-31T23:59:59Z")", "is less than 2026-01-01T00:00:00Z"},
    {"spec.duration { max = '1h' }", R"("1h")", R"("61m")", "is more than 1h"},
    {"spec.duration", R"("1500us")", "-1",
     "is a number, not a duration like \"20s\" or a number of seconds"},
    {"spec.url", R"("https://a.b/c?d#e")", R"("ftp://a")",
     "is no URL: it begins with http:// or https://"},
    {"spec.url", R"("http://u@h:1/")", R"("http:///a")", "is no URL: it names no host"},
    {"spec.one_of { 'a', 2, true }", "2", R"("b")", "is not one of \"a\", 2, true"},
    {"spec.one_of { 'a' }", R"("a")", "null", "is null, not one of its values"},
    {"spec.list(spec.int)", "[1,2]", R"([1,"2",3,null])",
     "[2]: is text, not a whole number; [4]: is null, not a whole number"},
    {"spec.list(spec.int, { min = 1, max = 2 })", "[1]", "[]", "has fewer than 1 item"},
    {"spec.map(spec.bool)", R"({"a":true,"b":false})", R"({"b":1,"a":2})",
     "b: is a number, not true or false; a: is a number, not true or false"},
    {"spec.map(spec.any, { max = 1 })", R"({"a":null})", R"({"a":1,"b":2})",
     "has more than 1 entry"},
    {"spec.record { a = spec.int, b = { c = spec.string } }", R"({"a":1,"b":{"c":"x"}})",
     R"({"b":{"c":3}})", "b.c: is a number, not text; a: is missing"},
    {"spec.record { a = spec.list { b = spec.int } }", R"({"a":[{"b":1}]})",
     R"({"a":[{"b":1},{}]})", "a[2].b: is missing"},
    {"spec.tagged('type', { A = { n = spec.int }, B = {} })", R"({"n":1,"type":"A"})",
     R"({"type":"C"})", "type: is not one of \"A\", \"B\""},
    {"spec.tagged('type', { A = { n = spec.int }, B = {} })", R"({"type":"B"})", R"({"n":1})",
     "type: is missing"},
    {"spec.limit(20, 100)", "100", "101", "is more than 100"},
};

}  // namespace

TEST_CASE("every kind of schema takes what fits and names what does not") {
  Values lua;
  for (const Case& c : kCases) {
    INFO(c.schema);
    const SchemaPtr schema = lua.schema(c.schema);
    CHECK(lua.through(c.good, schema) == c.good);
    CHECK(lua.through(c.bad, schema) == c.message);
  }
}

TEST_CASE("what is missing is filled in: defaults, lists, maps and records of such") {
  Values lua;
  const SchemaPtr schema = lua.schema(R"(spec.record {
    a = 1, b = "x", c = 0.5, d = true, e = spec.money { default = "2.50" },
    f = spec.time { default = "2026-01-01T00:00:00Z" }, g = spec.duration { default = "90s" },
    h = spec.list(spec.int), i = spec.map(spec.int), j = { k = 2, l = { m = "y" } },
    n = spec.string { optional = true }, o = spec.one_of { "p", "q", default = "q" },
    r = spec.list(spec.money) { default = { "1", "2.5" } },
    s = spec.record { t = spec.int } { optional = true }, u = money "3", })");
  const char* filled =
      R"({"a":1,"b":"x","c":0.5,"d":true,"e":2.50,"f":"2026-01-01T00:00:00Z","g":"90s","h":[],)"
      R"("i":{},"j":{"k":2,"l":{"m":"y"}},"o":"q","r":[1.00,2.50],"u":3.00})";
  CHECK(schema->filled_json() == filled);
  CHECK(lua.through("{}", schema) == filled);
  CHECK(lua.encode("return {}", schema) == filled);
  CHECK(lua.with("{}", schema, "return it.e * 2 + it.r[2]") == "7.50");
  CHECK(lua.with("{}", schema, "return it.f + it.g") == "2026-01-01T00:01:30Z");
  CHECK(lua.with("{}", schema, "it.j.l.m = 'z' return #it.h + it.j.k") == "2");
  CHECK(lua.through("{}", schema) == filled);  // the change above reached nobody else
}

TEST_CASE("null is an absent optional field, and a violation elsewhere") {
  Values lua;
  const SchemaPtr schema = lua.schema(
      "spec.record { a = spec.string { optional = true }, b = spec.any { optional = true } }");
  CHECK(lua.through(R"({"a":null,"b":null})", schema) == R"({"b":null})");
  CHECK(lua.through(R"({"a":null})", lua.schema("spec.record { a = spec.string }")) ==
        "a: is null, not text");
  CHECK(lua.encode("return { a = host.null, b = host.null }", schema) == R"({"b":null})");
}

TEST_CASE("fields that a record does not name are dropped, kept or refused, as the reader says") {
  Values lua;
  const SchemaPtr schema = lua.schema("spec.record { pace = spec.int { optional = true } }");
  CHECK(lua.through(R"({"pcae":1,"pace":2})", schema) == R"({"pace":2})");
  CHECK(lua.through(R"({"pcae":1})", schema, UnknownFields::refuse) ==
        "pcae: is not a field here; did you mean \"pace\"?");
  CHECK(lua.encode("return { pcae = 1 }", schema) ==
        "pcae: is not a field here; did you mean \"pace\"?");
}

TEST_CASE("encoding says what JSON does not have, and where") {
  Values lua;
  CHECK(lua.encode("return { a = { b = print } }") ==
        "a.b: is a function, which JSON does not have");
  CHECK(lua.encode("return { 1, 2, 0 / 0 }") == "[3]: is not a finite number");
  CHECK(lua.encode("return { a = math.huge }") == "a: is not a finite number");
  CHECK(lua.encode("local t = {} t.a = { t } return t") == "a[1]: contains itself");
  CHECK(lua.encode("local t = {} t.a, t.b = t, t return t") ==
        "a: contains itself; b: contains itself");
  CHECK(lua.encode("return { [true] = 1 }") ==
        "has true or false as a key: keys are text (tostring)");
  CHECK(lua.encode("return { a = { [5] = 1 } }") ==
        "a: has the number 5 as a key: keys are text (tostring)");
  CHECK(lua.encode("return { 1, 2, a = 3 }") ==
        "is a list and has the field \"a\" too: JSON has no such thing");
  CHECK(lua.encode("return { 1, 2, nil, nil, 5 }").find("holes") != std::string::npos);
  CHECK(lua.encode("return { a = '\\255' }") == "a: is not valid UTF-8");
  CHECK(lua.encode("return { ['\\255'] = 1 }").find("is not valid UTF-8") != std::string::npos);
  CHECK(lua.encode("return coroutine.create(print)") == "is a coroutine, which JSON does not have");
  CHECK(lua.encode("return { a = 1 }", lua.schema("spec.map(spec.string)")) ==
        "a: is a number, not text");
  CHECK(lua.encode("return { [1] = 'x' }", lua.schema("spec.map(spec.string)")) ==
        "has the number 1 as a key: keys are text (tostring)");
  CHECK(lua.encode("return { x = 1 }", lua.schema("spec.list(spec.int)")) ==
        "is a list and has the field \"x\" too: JSON has no such thing");
  CHECK(lua.encode("return 2 ^ 60", lua.schema("spec.int")) ==
        "is beyond 2^53, where numbers are no longer exact");
}

TEST_CASE("a table of shared tables that unfolds without end is stopped") {
  Values lua;
  CHECK_THAT(lua.encode("local t = { ('x'):rep(1000) } for _ = 1, 40 do t = { t, t } end return t"),
             Contains("is more than 16 MB"));
}

TEST_CASE("a long list of numbers is stopped at 16 MB, too") {
  Values lua;
  CHECK_THAT(lua.encode("local t = {} for i = 1, 1.2e6 do t[i] = i / 3 end return t"),
             Contains("is more than 16 MB"));
}

TEST_CASE("the texts of one value share what their patterns may cost") {
  Values lua;
  const std::string text = "\"" + std::string(4000, 'a') + "\"";
  CHECK_THAT(lua.through("[" + text + "," + text + "," + text + "]",
                         lua.schema("spec.list(spec.string { pattern = 'a-b' })")),
             Contains("[1]: does not match") && Contains("[3]: cannot be matched") &&
                 Contains("too costly"));
}

TEST_CASE("nesting ends at 128 levels, both ways") {
  Values lua;
  const auto nested = [](int n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(lua.through(nested(128)) == nested(128));
  CHECK_THAT(lua.through(nested(129)), Contains("nested deeper than 128 levels"));
  CHECK_THAT(lua.through(nested(2000)), Contains("nested deeper than 128 levels"));
  CHECK_THAT(lua.encode("local t = 1 for _ = 1, 129 do t = { t } end return t"),
             Contains("nested deeper than 128 levels"));
  CHECK(lua.encode("local t = list.of {} for _ = 1, 127 do t = { t } end return t") == nested(128));
}

TEST_CASE("bad JSON is refused with its place") {
  Values lua;
  CHECK(lua.through("") == "is empty");
  CHECK_THAT(lua.through("{\"a\":1} x"), Contains("line 1, column 9"));
  const std::string endless = lua.through("\"" + std::string(100'000, 'a'));
  CHECK_THAT(endless, Contains("is not JSON") && Contains("line 1, column 100002"));
  CHECK(endless.size() < 300);
  CHECK_THAT(lua.through("{\n\"a\":1,\n}"), Contains("line 3"));
  CHECK_THAT(lua.through("\"\xff\""), Contains("UTF-8"));
  CHECK_THAT(lua.through("\"\\ud800\""), Contains("surrogate"));
  CHECK(lua.through(R"({"a":{"b":[1,99999999999999999999]}})") ==
        "a.b[2]: is a number beyond 64 bits, which cannot be kept exactly");
  CHECK(lua.through(R"({"a":1e999})") ==
        "a: is a number beyond 64 bits, which cannot be kept exactly");
}

TEST_CASE("integers beyond 2^53 pass through as values that compare and print") {
  Values lua;
  CHECK(lua.with("9007199254740993", nullptr, "return it") == "9007199254740993");
  CHECK(lua.with("[9007199254740993,9007199254740995]", nullptr,
                 "return it[1] < it[2] and it[1] ~= it[2] and it[1] == it[1]") == "true");
  CHECK(lua.with("[18446744073709551615,9223372036854775807]", nullptr, "return it[2] < it[1]") ==
        "true");
  CHECK(lua.with("9007199254740992", nullptr, "return it + 0") == "9.007199254741e+15");
  CHECK(lua.with("9007199254740993", nullptr, "return 'n' .. it") == "n9007199254740993");
  CHECK_THAT(lua.with("9007199254740993", nullptr, "return it + 1"), Contains("arithmetic"));
  CHECK(lua.through("1e300", lua.schema("spec.int")) ==
        "is beyond 2^53, where numbers are no longer exact");
}

TEST_CASE("lists keep their nature, {} is an object, list.of {} a list") {
  Values lua;
  CHECK(lua.through(R"({"a":[],"b":{}})") == R"({"a":[],"b":{}})");
  CHECK(lua.encode("return { {}, list.of {} }") == "[{},[]]");
  CHECK(lua.encode("return {}", lua.schema("spec.list(spec.any)")) == "[]");
  CHECK(lua.encode("return list.of {}", lua.schema("spec.map(spec.any)")) == "{}");
  CHECK(lua.with("[1]", nullptr, "table.remove(it) return #it") == "0");
}

TEST_CASE("money, time and duration go over the wire in one form each") {
  Values lua;
  CHECK(lua.encode("return { money '2.5', time '2026-01-01T01:00:00+01:00', host.null }") ==
        R"([2.50,"2026-01-01T00:00:00Z",null])");
  CHECK(lua.encode("return 20000", lua.schema("spec.money")) == "20000.00");
  CHECK(lua.encode("return '7.5'", lua.schema("spec.money")) == "7.50");
  CHECK(lua.encode("return 90", lua.schema("spec.duration")) == "\"90s\"");
  CHECK(lua.encode("return '0.25s'", lua.schema("spec.duration")) == "\"250ms\"");
  CHECK(lua.encode("return '2026-01-01T00:00:00+00:00'", lua.schema("spec.time")) ==
        "\"2026-01-01T00:00:00Z\"");
  CHECK(lua.with("\"1m\"", lua.schema("spec.duration"), "return it / 2") == "30");
  CHECK(lua.run("return tostring(host.null)") == "null");
}

TEST_CASE("every amount of money comes back as the same amount") {
  Values lua;
  const SchemaPtr money = lua.schema("spec.money");
  for (std::int64_t minor = 1; minor < kMaxMoney; minor += minor / 1000 + 1) {
    const std::string json = format_money(minor);
    if (lua.through(json, money) != json) FAIL(json << " became " << lua.through(json, money));
  }
}

TEST_CASE("equal values give equal bytes, however they were made") {
  Values lua;
  CHECK(lua.encode("return { b = 1, a = { d = 1, c = 2 } }") ==
        lua.encode("local t = { a = {} } t.a.c = 2 t.a.d = 1 t.b = 1 return t"));
  std::string wide = "return {";
  for (int i = 0; i < 6000; ++i) wide += "k" + std::to_string(i) + "=" + std::to_string(i) + ",";
  const std::string json = lua.encode(wide + "}");
  const auto parsed = nlohmann::json::parse(json);
  CHECK(parsed.size() == 6000);
  CHECK(parsed.dump() == json);  // nlohmann sorts by bytes too
}

TEST_CASE("misuse of spec raises at its line and says what to write") {
  Values lua;
  CHECK_THAT(lua.error("\nreturn spec.strng"),
             Contains("test.lua:2: ") && Contains("did you mean \"string\"?"));
  CHECK_THAT(lua.error("return spec.string { mn = 1 }"), Contains("did you mean \"min\"?"));
  CHECK_THAT(lua.error("return spec.int { min = 3, max = 1 }"), Contains("more than its max"));
  CHECK_THAT(lua.error("return spec.int { default = 'x' }"),
             Contains("is text, not a whole number"));
  CHECK_THAT(lua.error("return spec.int { max = 3, default = 4 }"), Contains("is more than 3"));
  CHECK_THAT(lua.error("return spec.int { default = 4 } { max = 3 }"), Contains("is more than 3"));
  CHECK_THAT(lua.error("return spec.string { optional = 1 }"), Contains("true or false"));
  CHECK_THAT(lua.error("return spec.list()"), Contains("spec.list(spec.string)"));
  CHECK_THAT(lua.error("return spec.record { spec.int }"), Contains("a list is spec.list(...)"));
  CHECK_THAT(lua.error("return spec.record { a = spec.list }"), Contains("field \"a\""));
  CHECK_THAT(lua.error("return spec.one_of {}"), Contains("at least one value"));
  CHECK_THAT(lua.error("return spec.tagged('t', { A = { t = spec.int } })"),
             Contains("as a field too"));
  CHECK_THAT(lua.error("return spec.string.fields"), Contains("only a record has `fields`"));
  CHECK_THAT(lua.error("spec.string = 1"), Contains("host.spec is read-only"));
}

TEST_CASE("a few lines of a script cannot take the host's stack or memory by a schema") {
  Values lua;
  CHECK_THAT(lua.error("local t = {} t.a = t return spec.record(t)"), Contains("nested too deep"));
  CHECK_THAT(lua.error("local s = spec.int for _ = 1, 1e5 do s = spec.list(s) end"),
             Contains("nested too deep"));
  CHECK_THAT(
      lua.error("local s = 'some text' for _ = 1, 60 do s = spec.record { a = s, b = s } end"),
      Contains("above 256 KiB"));
}

TEST_CASE("a record is extended by :with and shows its fields") {
  Values lua;
  const SchemaPtr schema =
      lua.schema("spec.record { a = spec.int, b = 1 }:with { b = spec.string, c = true }");
  CHECK(schema->fields().size() == 3);
  CHECK(schema->find("b")->kind() == Schema::Kind::string);
  CHECK(lua.schema("spec.record { a = spec.int { max = 3 } }.fields.a")->parts().max == 3.0);
}

TEST_CASE("parameters are read from text by their schema") {
  Values lua;
  const SchemaPtr record = lua.schema(R"(spec.record { n = spec.int { max = 9 }, wait =
    spec.duration { optional = true }, all = spec.bool { default = false },
    ids = spec.list(spec.int), at = spec.time { optional = true },
    fee = spec.money { optional = true }, by = spec.one_of { "a", 2 } { optional = true } })");
  const auto read = [&](const TextPairs& pairs, UnknownFields unknown = UnknownFields::drop) {
    std::string out;
    lua.protect([&](lua_State* L) {
      Violations violations;
      if (!push_text(L, pairs, record.get(), violations, unknown)) {
        out = to_string(violations);
      } else {
        REQUIRE(append_json(L, -1, nullptr, out, violations));
      }
    });
    return out;
  };
  CHECK(read({{"n", "007"}, {"wait", "1.5s"}, {"ids", "1"}, {"ids", "2"}, {"all", "1"}}) ==
        R"({"all":true,"ids":[1,2],"n":7,"wait":1.5})");
  CHECK(
      read({{"n", "3"}, {"fee", "2.5"}, {"at", "2026-01-01T00:00:00Z"}, {"by", "2"}, {"x", "y"}}) ==
      R"({"all":false,"at":"2026-01-01T00:00:00Z","by":2,"fee":2.50,"ids":[],"n":3})");
  CHECK(read({{"n", "3"}, {"x", "y"}}, UnknownFields::keep) ==
        R"({"all":false,"ids":[],"n":3,"x":"y"})");
  CHECK(read({{"n", "10"}, {"ids", "x"}, {"all", "maybe"}}) ==
        "all: is not true or false; ids[1]: is not a whole number; n: is more than 9");
  CHECK(read({}) == "n: is missing");
  CHECK(read({{"n", ""}}) == "n: is not a whole number");
  CHECK(read({{"n", "99999999999999999999"}}) == "n: is more than 9");
}

TEST_CASE("one value is read from text: scalars as people write them, the rest as JSON") {
  Values lua;
  const auto read = [&](const char* schema, const char* text) {
    const SchemaPtr made = lua.schema(schema);
    std::string out;
    lua.protect([&](lua_State* L) {
      Violations violations;
      if (!push_text_value(L, text, *made, violations)) {
        out = to_string(violations);
      } else {
        REQUIRE(append_json(L, -1, nullptr, out, violations));
      }
    });
    return out;
  };
  CHECK(read("spec.string", "20") == "\"20\"");
  CHECK(read("spec.int", "-20") == "-20");
  CHECK(read("spec.int", "18446744073709551615") == "18446744073709551615");
  CHECK(read("spec.int", "18446744073709551616") ==
        "is beyond 2^53, where numbers are no longer exact");
  CHECK(read("spec.number", ".5") == "0.5");
  CHECK(read("spec.money", "2.5") == "2.50");
  CHECK(read("spec.list(spec.int)", "[1,2]") == "[1,2]");
  CHECK(read("spec.list(spec.int)", "[1,\"a\"]") == "[2]: is text, not a whole number");
  CHECK(read("spec.record { a = spec.int }", "{\"a\":1,\"b\":2}") == "b: is not a field here");
  CHECK(read("spec.any", "{\"a\":[]}") == "{\"a\":[]}");
  CHECK(read("spec.any", "plain words") == "\"plain words\"");
  CHECK(read("spec.bool", "yes") == "is not true or false");
}

TEST_CASE("the JSON schema says what the schema does") {
  Values lua;
  const auto json = lua.schema(R"(spec.record {
    a = spec.int { min = 1, doc = "how many" }, b = spec.string { pattern = "^%d+$", optional = true },
    c = spec.list(spec.money, { max = 3 }), d = spec.one_of { "x", "y", default = "y" } })")
                        ->json_schema();
  CHECK(json == nlohmann::json::parse(R"({"type":"object","required":["a"],"properties":{
    "a":{"type":"integer","minimum":1,"description":"how many"},
    "b":{"type":"string","pattern":"^[0-9]+$"},
    "c":{"type":"array","maxItems":3,"items":{"type":"number","multipleOf":0.01}},
    "d":{"enum":["x","y"],"default":"y"}}})"));
  CHECK(lua.schema("spec.tagged('t', { A = {} })")->json_schema()["oneOf"][0]["required"][0] ==
        "t");
}

}  // namespace host::test
