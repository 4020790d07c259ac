#pragma once

struct lua_State;

namespace host::bindings {

/// require "host.list" (list.lua): pushes the module. May raise.
int open_list(lua_State* L);

}  // namespace host::bindings
