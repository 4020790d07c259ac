#pragma once

#include <lua.hpp>
#include <span>
#include <string>
#include <string_view>

#include "host/script/task.h"

namespace host::bindings {

/// A group of ctx functions; each file has one, ctx.cc lists them.
struct CtxFunction {
  const char* name;
  lua_CFunction function;
};

// Where a function of ctx is allowed, as plugin-api.md marks them.
enum Grounds : unsigned {
  kMessage = 1,  // records and timers
  kEvery = 2,
  kHttp = 4,
  kAnywhere = kMessage | kEvery | kHttp,
  kMap = 8,  // a stream's map, which has nothing but its message
};

/// The ground that a task is on.
unsigned ground_bit(script::ScriptTask::Ground ground);
/// "an HTTP handler".
const char* ground_name(script::ScriptTask::Ground ground);

/// The task whose turn it is, when `name` is called with a colon on ctx where it is allowed;
/// raises otherwise. In a rebuild's handlers effects, chance and emits are refused too.
script::ScriptTask& need_task(lua_State* L, const char* name, unsigned grounds,
                              bool breaks_rebuild = false);
/// Raises unless the running coroutine can wait for the host here.
void need_to_wait(lua_State* L, const char* name);
/// Yields to the host until `effect` is answered. The value of a C function.
int wait_for(lua_State* L, std::uint64_t effect);

/// Counts what a call adds to its unit of work, before it does; raises where that is too much.
void charge(lua_State* L, script::ScriptTask& task, const char* name, std::size_t bytes);

/// A text argument; raises "NAME: WHAT must be text, not a table".
std::string_view need_text(lua_State* L, int index, const char* name, const char* what);
/// A duration argument.
Duration need_duration(lua_State* L, int index, const char* name, const char* what);
/// The nearest of the names, as " (did you mean 'x'?)", or "".
class Suggestion {
 public:
  explicit Suggestion(std::string_view wanted) : wanted_(wanted) {}
  void offer(std::string_view name);
  std::string text() const;

 private:
  std::string_view wanted_;
  std::string best_;
  std::size_t distance_ = 4;  // more differences are no misspelling
};

std::span<const CtxFunction> ctx_message_functions();
std::span<const CtxFunction> ctx_effect_functions();
std::span<const CtxFunction> ctx_chance_functions();
std::span<const CtxFunction> ctx_measure_functions();
/// Pushes the table ctx.log.
void push_ctx_log(lua_State* L);

}  // namespace host::bindings
