#pragma once

struct lua_State;

namespace host::bindings {

/// require "host.time": pushes the module. May raise.
int open_time(lua_State* L);

}  // namespace host::bindings
