#pragma once

struct lua_State;

namespace host::bindings {

/// require "host.hash": pushes the module. May raise.
int open_hash(lua_State* L);

}  // namespace host::bindings
