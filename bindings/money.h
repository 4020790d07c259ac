#pragma once

struct lua_State;

namespace host::bindings {

/// require "host.money": pushes the module. May raise.
int open_money(lua_State* L);

}  // namespace host::bindings
