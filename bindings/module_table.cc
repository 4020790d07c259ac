#include "bindings/module_table.h"

#include <lua.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "host/script/lua_state.h"
#include "host/script/schema_check.h"

namespace host::bindings {
namespace {

using script::guarded;
using script::raise;

std::string key_text(lua_State* L, int index) {
  return lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : luaL_typename(L, index);
}

// Upvalue: the module's name. Argument 1 is the hidden table.
int unknown_name(lua_State* L) {
  std::vector<std::string> names;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) names.emplace_back(lua_tostring(L, -2));
  }
  const std::string wanted = key_text(L, 2);
  const std::string near = script::nearest(wanted, {names.begin(), names.end()});
  const char* module = lua_tostring(L, lua_upvalueindex(1));
  raise(L, std::string(module) + " has no \"" + wanted + "\"" +
               (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

int write_refused(lua_State* L) {
  raise(L, std::string(lua_tostring(L, lua_upvalueindex(1))) + " is read-only");
}

void set_named(lua_State* L, const char* event, const char* name, lua_CFunction function) {
  lua_pushstring(L, name);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, event);
}

}  // namespace

void freeze_module(lua_State* L, const char* name) {
  lua_createtable(L, 0, 1);
  set_named(L, "__index", name, guarded<unknown_name>);
  lua_setmetatable(L, -2);

  lua_newtable(L);
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  set_named(L, "__newindex", name, guarded<write_refused>);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_remove(L, -2);
}

void run_embedded(lua_State* L, const char* begin, const char* end, int base) {
  const auto size = static_cast<std::size_t>(end - begin);
  if (luaL_loadbuffer(L, begin, size, script::kHostChunk) != 0) lua_error(L);
  lua_pushvalue(L, LUA_ENVIRONINDEX);
  lua_setfenv(L, -2);
  lua_insert(L, base + 1);
  lua_call(L, lua_gettop(L) - base - 1, 1);
}

}  // namespace host::bindings
