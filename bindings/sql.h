#pragma once

struct lua_State;

namespace host::bindings {

/// require "host.sql" (sql.lua): pushes the module. May raise.
int open_sql(lua_State* L);

}  // namespace host::bindings
