#pragma once

#include <lua.hpp>

#include "host/base/result.h"
#include "host/script/lua_state.h"

namespace host::script {

/// Turns a fresh state into a sandbox: what scripts see is a new table with copies of a whitelist
/// (sandbox.cc has it as data); Lua's own tables are dropped. Afterwards the environment is on top
/// of the state's stack, and stays there for the loader. Pushes one value.
Result<void> open_sandbox(LuaState& state);

/// The first value of every yield that means the host and not a coroutine of the script: the
/// coroutine library of the sandbox passes it on. Scripts never hold it.
void* host_mark();
void push_host_mark(lua_State* L);
bool is_host_mark(lua_State* L, int index);
/// A coroutine.resume that does not pass host yields on: for the host's Lua code.
void push_raw_resume(lua_State* L);

/// What tostring() gives to scripts: no addresses. Pushes one text; may raise.
void push_text_of(lua_State* L, int index);

}  // namespace host::script
