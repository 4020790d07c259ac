#pragma once

struct lua_State;

namespace host::bindings {

/// Replaces the table on top by one that reads through to it and cannot be written, so that no
/// script changes what another one sees. Reading an unknown name raises, with a suggestion.
/// `name` is the module's and must live as long as the process. May raise.
void freeze_module(lua_State* L, const char* name);

/// Loads the host's own Lua code between `begin` and `end` and calls it with the values above
/// `base`: leaves its one result there. The code sees the libraries that scripts see: the
/// environment of the C function that calls this. May raise.
void run_embedded(lua_State* L, const char* begin, const char* end, int base);

}  // namespace host::bindings
