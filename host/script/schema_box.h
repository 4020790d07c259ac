#pragma once

#include "host/script/schema.h"

struct lua_State;

namespace host::script {

/// Makes the metatable of schema values, once a state, with `call` (what options do) and `index`
/// (what fields they show). The collector releases the schema. May raise.
void open_schema_values(lua_State* L, int (*call)(lua_State*), int (*index)(lua_State*));
/// May raise.
void push_schema(lua_State* L, SchemaPtr schema);

}  // namespace host::script
