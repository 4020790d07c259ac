#pragma once

#include <lua.hpp>

namespace host::script {

// string.find, match, gmatch and gsub of the sandbox: as Lua 5.1 has them, on the host's own
// matcher with its limits (pattern.h).
int lua_find(lua_State* L);
int lua_match(lua_State* L);
int lua_gmatch(lua_State* L);
int lua_gsub(lua_State* L);

}  // namespace host::script
