#pragma once

struct lua_State;

namespace host::bindings {

/// require "host.spec": pushes the module. May raise.
int open_spec(lua_State* L);

}  // namespace host::bindings
