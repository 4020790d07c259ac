#include "host/script/test_file.h"

#include <luajit.h>

#include <algorithm>
#include <chrono>

#include "host/script/loader_require.h"
#include "host/script/loader_sources.h"

namespace host::script {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kInstructions = 100'000;  // between two looks at the clock
constexpr auto kLongestCase = std::chrono::seconds(10);
thread_local Clock::time_point case_deadline;

void look_at_clock(lua_State* L, lua_Debug*) {
  if (Clock::now() > case_deadline) luaL_error(L, "the case runs longer than ten seconds");
}

/// What is wrong with the table on top, or "".
std::string read_table(lua_State* L, TestFile& out) {
  if (!lua_istable(L, -1)) return "a test file returns a table";
  lua_getfield(L, -1, "api");
  out.is_plugin = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (out.is_plugin) return {};
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) return "a test file's table has sentences as keys";
    const std::string name = lua_tostring(L, -2);
    if (name == "deployment" && lua_type(L, -1) == LUA_TSTRING) {
      out.deployment = lua_tostring(L, -1);
    } else if (name == "plugins" && lua_istable(L, -1)) {
      for (std::size_t i = 1; i <= lua_objlen(L, -1); ++i) {
        lua_rawgeti(L, -1, static_cast<int>(i));
        if (lua_type(L, -1) != LUA_TSTRING) return "plugins is a list of files";
        out.plugins.emplace_back(lua_tostring(L, -1));
        lua_pop(L, 1);
      }
    } else if (lua_isfunction(L, -1)) {
      lua_pushvalue(L, -1);
      out.cases.emplace_back(name, luaL_ref(L, LUA_REGISTRYINDEX));
    } else {
      return "\"" + name + "\" is neither deployment, plugins, nor a sentence with a function";
    }
  }
  if (!out.deployment.empty() && !out.plugins.empty()) {
    return "a test file names a deployment or plugins, not both";
  }
  std::sort(out.cases.begin(), out.cases.end());
  return {};
}

}  // namespace

Result<TestFile> load_test_file(LuaState& state, const NativeModules& modules,
                                const std::string& file, const std::string& root) {
  LoadRequest request;
  request.file = file;
  request.root = root;
  Sources sources(request);
  const auto source = sources.read_plugin();
  if (!source) return source.error();
  Requirer requirer(modules, sources);
  TestFile out;
  std::string wrong;
  const Result<void> loaded = state.protect([&](lua_State* L) {
    requirer.open(L);
    requirer.run(L, *source, "");
    wrong = read_table(L, out);
  });
  requirer.close();
  if (!loaded) return loaded.error();
  if (!wrong.empty()) {
    Error error = make_error(Error::Code::invalid, std::move(wrong));
    error.file = file;
    return error;
  }
  return out;
}

Result<void> run_test(LuaState& state, LuaRef function,
                      const std::function<void(lua_State*)>& push_argument) {
  case_deadline = Clock::now() + kLongestCase;
  return state.protect([&](lua_State* L) {
    // Compiled loops do not look at hooks.
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_sethook(L, look_at_clock, LUA_MASKCOUNT, kInstructions);
    lua_rawgeti(L, LUA_REGISTRYINDEX, function);
    push_argument(L);
    lua_call(L, 1, 0);
  });
}

}  // namespace host::script
