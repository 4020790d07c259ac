#include <map>

#include "tests/unit/script_vm_fixture.h"

namespace host::test {

using Catch::Contains;

namespace {

// The scripts of tests/scripts/hostile/NAME.lua, by their sentence.
std::map<std::string, std::string> hostile(const std::string& name) {
  std::map<std::string, std::string> scripts;
  lua_State* L = luaL_newstate();
  REQUIRE(luaL_dofile(L, (HOST_SOURCE_DIR "/tests/scripts/hostile/" + name + ".lua").c_str()) == 0);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    scripts[lua_tostring(L, -2)] = lua_tostring(L, -1);
  }
  lua_close(L);
  return scripts;
}

}  // namespace

TEST_CASE("no attempt to leave the sandbox succeeds") {
  const auto scripts = hostile("escape");
  CHECK(scripts.size() >= 45);
  for (const auto& [name, text] : scripts) {
    Sandbox box;
    INFO(name);
    const auto answer = box.run(text);
    if (answer) CHECK_THAT(*answer, !Contains("true"));
    CHECK(box.result("return ('ok'):rep(1) .. #string.format('%d', 12)") == "ok2");
  }
}

TEST_CASE("every memory bomb ends in an error and leaves its state and others usable") {
  Sandbox neighbour;
  for (const bool jit : {true, false}) {
    for (const auto& [name, text] : hostile("memory")) {
      Sandbox box(16u << 20, jit);
      INFO(name << (jit ? "" : ", interpreted"));
      const auto answer = box.run(text);
      REQUIRE_FALSE(answer.ok());
      CHECK(box.state().memory_bytes() <= box.state().memory_cap());
      CHECK(box.result("local t = {} for i = 1, 100 do t[i] = i end return #t") == "100");
      CHECK(neighbour.result("return 1") == "1");
    }
  }
}

TEST_CASE("every runaway script is cut with its line and leaves its state usable") {
  const auto scripts = hostile("runaway");
  CHECK(scripts.size() >= 20);
  for (const bool jit : {true, false}) {
    Sandbox box(64u << 20, jit);
    for (const auto& [name, text] : scripts) {
      INFO(name << (jit ? "" : ", interpreted"));
      const auto answer = box.run(text, "test.lua", kTestBudget);
      REQUIRE_FALSE(answer.ok());
      CHECK_THAT(answer.error().message, Contains("stopped after 60ms of CPU time in one turn"));
      CHECK(answer.error().file == "test.lua");
      CHECK(answer.error().line > 0);
      CHECK(box.result("local s = 0 for i = 1, 2000 do s = s + i % 7 end return s") == "6000");
    }
  }
}

}  // namespace host::test
