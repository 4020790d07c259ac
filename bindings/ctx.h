#pragma once

struct lua_State;

namespace host::bindings {

/// Pushes the ctx of a state: one object for all handlers, which speaks of the message whose turn
/// it is. LuaState::owner is the engine. May raise.
int open_ctx(lua_State* L);

}  // namespace host::bindings
