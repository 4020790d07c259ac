#pragma once

#include <lua.hpp>
#include <string>

namespace host::script::interrupt {

/// How a script that runs is stopped. Compiled loops never look at Lua's debug hooks, except at
/// the profiler's bit of the same mask, which every trace tests when it was compiled with the
/// profiler in line mode: setting that bit leads the loop back into the interpreter, where the
/// hook is seen. The bit is a private byte of LuaJIT: it is searched for and proved by a
/// self-test at the first use. Where that fails, scripts run without JIT and look by themselves.
enum class Method { profile_bit, count_hook };

/// Found at the first call, the same for the whole process. Thread-safe.
Method method();
/// Why not profile_bit, or "".
const std::string& reason();

/// Called on the state's own thread when it was armed, and in count_hook mode from time to time.
/// It may raise.
using Callback = void (*)(lua_State* L, lua_Debug* where);

/// Before the state loads any script. Without `jit` it runs interpreted, with the count hook.
void prepare(lua_State* L, bool jit, Callback callback);
/// Makes the callback run at the next instruction of any coroutine of the state, again and again
/// until disarm(). On the state's thread, also inside of a signal handler or the allocator.
void arm(lua_State* L, Callback callback);
void disarm(lua_State* L, Callback callback);

/// Of an interpreted state: from now on at every instruction, until look_sometimes().
void look_always(lua_State* L, Callback callback);
void look_sometimes(lua_State* L, Callback callback);

}  // namespace host::script::interrupt
