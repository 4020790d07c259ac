#pragma once

#include <lua.hpp>

#include "host/script/lua_state.h"

namespace host::script {

/// Counts how deep host functions that call script code are nested on this thread: Lua bounds its
/// own stack, not the C stack that such a nesting uses up. Raises when it is too deep.
class CallDepth {
 public:
  static constexpr int kMost = 150;

  explicit CallDepth(lua_State* L) {
    if (depth_ >= kMost) raise(L, "C stack overflow (calls nested too deep)");
    ++depth_;
  }
  ~CallDepth() { --depth_; }
  CallDepth(const CallDepth&) = delete;
  CallDepth& operator=(const CallDepth&) = delete;

 private:
  inline static thread_local int depth_ = 0;
};

}  // namespace host::script
