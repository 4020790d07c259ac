#pragma once

struct lua_State;

namespace host::bindings {

/// require "host": pushes the module. May raise.
int open_host(lua_State* L);

}  // namespace host::bindings
