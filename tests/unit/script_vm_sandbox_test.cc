#include "tests/unit/script_vm_fixture.h"

namespace host::test {

using Catch::Contains;

TEST_CASE("a script computes with the whitelisted libraries") {
  Sandbox box;
  CHECK(box.result("return 1 + 2") == "3");
  CHECK(box.result("return ('x'):rep(3) .. string.format('%d', 7)") == "xxx7");
  CHECK(box.result("return table.concat({1, 2}, ',')") == "1,2");
  CHECK(box.result("return math.floor(2.5) + bit.band(7, 3)") == "5");
  CHECK(box.result("local t = {3, 1, 2} table.sort(t) return t[1]") == "1");
}

TEST_CASE("an undefined global raises with its name and line, reading and writing") {
  Sandbox box;
  CHECK_THAT(box.error("local a = 1\nreturn cuont"),
             Contains("test.lua:2: the global 'cuont' is not"));
  CHECK_THAT(box.error("\n\ntotal = 1"), Contains("test.lua:3: the global 'total' cannot be set") &&
                                             Contains("use ctx.state or a local"));
}

TEST_CASE("what people look for names what to use instead") {
  Sandbox box;
  CHECK_THAT(box.error("return os.time()"), Contains("ctx:now()"));
  CHECK_THAT(box.error("return math.random()"), Contains("ctx:random()"));
  CHECK_THAT(box.error("return string.dump(print)"),
             Contains("there is no string.dump for scripts"));
}

TEST_CASE("libraries cannot be changed") {
  Sandbox box;
  CHECK_THAT(box.error("string.trim = 1"), Contains("'string' is read-only"));
  CHECK_THAT(box.error("rawset(string, 'trim', 1)"), Contains("read-only"));
  CHECK_THAT(box.error("setmetatable(string, {})"), Contains("protected metatable"));
}

TEST_CASE("getmetatable gives the metatable of a table, and nil of anything else") {
  Sandbox box;
  CHECK(box.result("return tostring(getmetatable(1)) .. tostring(getmetatable({}))") == "nilnil");
  CHECK(box.result("local m = {} return getmetatable(setmetatable({}, m), 5) == m") == "true");
}

TEST_CASE("no address leaks") {
  Sandbox box;
  CHECK(box.result("return tostring({})") == "table");
  CHECK(box.result("return tostring(print)") == "function");
  CHECK(box.result("return string.format('%s %s', {}, print)") == "table function");
  CHECK(box.result("return tostring(coroutine.create(print))") == "thread");
  CHECK_THAT(box.error("return string.format('%p', {})"), Contains("addresses are hidden"));
  CHECK_THAT(box.error("return string.format('%10.2p', {})"), Contains("addresses are hidden"));
}

TEST_CASE("print is a line with tabs") {
  Sandbox box;
  box.result("print('a', 1, nil, {})");
  REQUIRE(box.printed().size() == 1);
  CHECK(box.printed()[0] == "a\t1\tnil\ttable");
}

TEST_CASE("xpcall calls its handler and gives its result") {
  Sandbox box;
  CHECK(box.result(
            "local ok, e = xpcall(function() error('x', 0) end, function(m) return m .. '!' end)"
            " return tostring(ok) .. e") == "falsex!");
  CHECK(box.result("return select(2, xpcall(function(a, b) return a + b end, print, 1, 2))") ==
        "3");
}

TEST_CASE("coroutines of a script work as in Lua") {
  Sandbox box;
  CHECK(
      box.result(
          "local g = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end)"
          " return g(1) + g(10)") == "22");
  CHECK(
      box.result(
          "local co = coroutine.create(function() error('inside', 0) end)"
          " local ok, e = coroutine.resume(co) return tostring(ok) .. e .. coroutine.status(co)") ==
      "falseinsidedead");
  CHECK_THAT(box.error("coroutine.wrap(function() error('deep') end)()"),
             Contains("test.lua:1: deep"));
}

TEST_CASE("nesting through host functions is bounded before the C stack is") {
  Sandbox box;
  CHECK_THAT(
      box.error(
          "return tostring(setmetatable({}, { __tostring = function(t) return tostring(t) end }))"),
      Contains("nested too deep"));
  CHECK_THAT(box.error("local function f() return ('x'):gsub('x', f) end return f()"),
             Contains("nested too deep"));
  CHECK_THAT(box.error("local function f() return coroutine.wrap(f)() end return f()"),
             Contains("nested too deep"));
  CHECK_THAT(box.error("local function f() return coroutine.resume(coroutine.create(f)) end\n"
                       "error((select(192, f())))"),
             Contains("nested too deep"));
  CHECK(box.result("return tostring(1)") == "1");
}

TEST_CASE("a raised table or number becomes a clear error") {
  Sandbox box;
  CHECK_THAT(box.error("error({})"), Contains("raised a table"));
  CHECK_THAT(box.error("error(42, 0)"), Contains("42"));
}

TEST_CASE("a memory error is told apart and leaves the state usable") {
  Sandbox box(8u << 20);
  auto answer = box.run("local t = {} for i = 1, 1e9 do t[i] = {} end");
  REQUIRE_FALSE(answer.ok());
  CHECK_THAT(answer.error().message, Contains("memory"));
  CHECK(box.state().memory_refusals() > 0);
  CHECK(box.result("return 1") == "1");
}

TEST_CASE("garbage above the soft limit is collected instead of raised") {
  Sandbox box(8u << 20);
  CHECK(box.result("local keep = {} for i = 1, 30 do keep[i] = ('x'):rep(100000) .. i end "
                   "for i = 1, 3000 do local s = ('y'):rep(10000) .. i end return #keep") == "30");
}

}  // namespace host::test
