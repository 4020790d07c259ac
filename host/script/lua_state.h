#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <lua.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "host/base/result.h"

namespace host::script {

class Turn;

/// One Lua state with a memory cap: a revision's code on one lane, or a throw-away for loading.
///
/// Above a soft limit the next instruction runs a full collection (LuaJIT itself has no emergency
/// collection); a script that is still above 90 % of the cap then gets an error with its line. A
/// single allocation beyond the cap fails at once. Machine code and the C++ heap are not counted.
/// Only on its lane.
class LuaState {
 public:
  struct Options {
    std::size_t memory_cap = 128u << 20;  // bytes
    bool jit = true;
  };

  /// A state with Lua's libraries opened and no sandbox yet. Error: exhausted.
  static Result<std::unique_ptr<LuaState>> make(Options options);
  /// The holder of a state, from any of its coroutines.
  static LuaState& of(lua_State* L);

  ~LuaState();
  LuaState(const LuaState&) = delete;
  LuaState& operator=(const LuaState&) = delete;

  lua_State* get() const { return L_; }
  bool jit() const { return jit_; }
  std::size_t memory_bytes() const { return used_; }
  std::size_t memory_cap() const { return cap_; }
  /// How often a script was refused memory; ascends.
  std::size_t memory_refusals() const { return refusals_; }
  /// Whether the watchdog is ending the turn that runs now.
  bool stopping() const;

  /// Runs `f(lua_State*)` where Lua may raise: every allocation inside Lua needs that. The stack is
  /// as before afterwards. Errors: script_error with file and line; exhausted when memory ran out.
  template <class F>
  Result<void> protect(F&& f) {
    auto call = [](void* object, lua_State* L) { (*static_cast<std::decay_t<F>*>(object))(L); };
    auto body = std::forward<F>(f);
    return run_protected(call, &body);
  }

  /// A full collection. Outside of turns, or after one has failed.
  void collect_all();

  /// Where `print` goes; empty: nowhere.
  std::function<void(lua_State* L, std::string_view line)> on_print;
  /// The owner of the state, for bindings: an Engine, or null.
  void* owner = nullptr;

 private:
  friend class Turn;

  LuaState() = default;
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  static void interrupted(lua_State* L, lua_Debug* where);
  static int trampoline(lua_State* L);
  Result<void> run_protected(void (*call)(void*, lua_State*), void* object);
  void over_soft_limit(std::size_t used);
  void collect(lua_State* L, lua_Debug* where);

  lua_State* L_ = nullptr;
  lua_Alloc inner_ = nullptr;
  void* inner_data_ = nullptr;
  bool jit_ = true;
  std::size_t used_ = 0;
  std::size_t cap_ = 0;
  std::size_t soft_ = 0;
  std::size_t refusals_ = 0;
  bool collection_due_ = false;
  int trampoline_ref_ = LUA_NOREF;
  const Turn* turn_ = nullptr;
};

/// The value at `index` (what a script raised) as an Error, with the file and line that its text
/// begins with. Never raises.
Error error_from(lua_State* L, int index, int status);
/// Raises `text` with the place of the nearest script code above the C function that calls it:
/// the host's own Lua code is skipped.
[[noreturn]] void raise(lua_State* L, const std::string& text);
/// The place of that code. False when there is none.
bool script_place(lua_State* L, std::string& file, int& line);

/// Wraps a C++ function for Lua: exceptions become Lua errors with the script's line. Lua's own
/// errors are foreign to C++ and pass.
template <int (*F)(lua_State*)>
int guarded(lua_State* L) {
  std::string what;
  try {
    return F(L);
  } catch (const std::exception& e) {
    what = e.what();
  }
  raise(L, what);
}

/// Chunk names of the host's own Lua code begin so; their frames are not the script's.
inline constexpr const char* kHostChunk = "=[host]";
/// What Lua makes of that in the texts of errors.
inline constexpr const char* kHostFile = "[host]";

}  // namespace host::script
