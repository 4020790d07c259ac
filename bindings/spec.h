#pragma once

#include "host/script/schema.h"

struct lua_State;

namespace host::bindings {

/// require "host.spec": pushes the module. May raise.
int open_spec(lua_State* L);

/// The schema that the value at `index` stands for: one of host.spec, a plain table (a record), or
/// a plain number, text, boolean, money or time (its type, with that default). Null with `why`
/// when it stands for none. May raise.
script::SchemaPtr schema_of(lua_State* L, int index, std::string& why);

}  // namespace host::bindings
