#pragma once

#include <string>
#include <vector>

#include "host/script/schema.h"

struct lua_State;

namespace host::script {

// What a Lua value means as a schema. All of these may raise for want of memory alone; what is
// wrong with the value is in `why`.

/// A schema of host.spec, a plain table (a record), or a plain number, text, boolean, money or time
/// (its type, with that default). Null with `why` when it is none.
SchemaPtr schema_of(lua_State* L, int index, std::string& why);

/// The fields of the table at `index`. `what` names it in `why`.
bool read_fields(lua_State* L, int index, const std::string& what,
                 std::vector<Schema::Field>& fields, std::string& why);

/// Makes the value at `index` the default of `parts`; returns why it does not fit, or "".
std::string set_default(lua_State* L, int index, Schema::Parts& parts);

}  // namespace host::script
