#include "host/script/data_file.h"

#include <cmath>
#include <stdexcept>

#include "host/script/lua_state.h"
#include "host/script/sandbox.h"
#include "host/script/watchdog.h"

namespace host::script {
namespace {

constexpr std::size_t kMemory = 64u << 20;
constexpr auto kBudget = std::chrono::seconds(1);
constexpr int kDeepest = 32;

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  throw std::runtime_error((where.empty() ? "the file" : where) + " " + why);
}

nlohmann::json read_value(lua_State* L, const std::string& where, int depth);

std::string read_key(lua_State* L, const std::string& where) {
  if (lua_type(L, -2) != LUA_TSTRING) refuse(where, "mixes a list with named fields");
  std::size_t size = 0;
  const char* text = lua_tolstring(L, -2, &size);
  return {text, size};
}

// Expects the table on top of the stack; leaves it there.
nlohmann::json read_table(lua_State* L, const std::string& where, int depth) {
  if (depth == kDeepest) refuse(where, "is nested too deeply, or holds itself");
  luaL_checkstack(L, 4, "data");
  const auto length = static_cast<int>(lua_objlen(L, -1));
  nlohmann::json out = length > 0 ? nlohmann::json::array() : nlohmann::json::object();
  for (int i = 1; i <= length; ++i) {
    lua_rawgeti(L, -1, i);
    out.push_back(read_value(L, where + "[" + std::to_string(i) + "]", depth + 1));
    lua_pop(L, 1);
  }
  int entries = 0;
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    ++entries;
    if (length == 0) {
      const std::string key = read_key(L, where);
      out[key] = read_value(L, where.empty() ? key : where + "." + key, depth + 1);
    }
    lua_pop(L, 1);
  }
  if (length > 0 && entries != length) refuse(where, "mixes a list with named fields");
  return out;
}

nlohmann::json read_value(lua_State* L, const std::string& where, int depth) {
  switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
      return lua_toboolean(L, -1) != 0;
    case LUA_TNUMBER: {
      const double number = lua_tonumber(L, -1);
      if (!std::isfinite(number)) refuse(where, "is not a finite number");
      constexpr double kExact = 9007199254740992.0;  // 2^53
      if (number == std::floor(number) && std::fabs(number) <= kExact) {
        return static_cast<std::int64_t>(number);
      }
      return number;
    }
    case LUA_TSTRING: {
      std::size_t size = 0;
      const char* text = lua_tolstring(L, -1, &size);
      return std::string(text, size);
    }
    case LUA_TTABLE:
      return read_table(L, where, depth);
    default:
      refuse(where, std::string("is a ") + luaL_typename(L, -1) +
                        "; texts, numbers, booleans and tables can be there");
  }
}

}  // namespace

Result<nlohmann::json> load_data(const std::string& file, const std::string& text) {
  Result<std::unique_ptr<LuaState>> state = LuaState::make({.memory_cap = kMemory, .jit = false});
  if (!state) return state.error();
  Result<void> opened = open_sandbox(**state);
  if (!opened) return opened.error();
  nlohmann::json out;
  const Turn turn(**state, "deployment", file.c_str(), kBudget);
  Result<void> ran = (*state)->protect([&](lua_State* L) {
    const std::string chunk = "@" + file;
    // Texts only: bytecode could break out of the sandbox.
    if (!text.empty() && text[0] == LUA_SIGNATURE[0]) throw std::runtime_error("this is bytecode");
    if (luaL_loadbuffer(L, text.data(), text.size(), chunk.c_str()) != 0) lua_error(L);
    lua_call(L, 0, 1);
    if (lua_type(L, -1) != LUA_TTABLE) throw std::runtime_error("the file must return a table");
    out = read_table(L, "", 0);
  });
  if (!ran) {
    Error error = ran.error();
    if (error.file.empty()) error.file = file;
    return error;
  }
  return out;
}

}  // namespace host::script
