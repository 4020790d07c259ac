#include "bindings/ctx_support.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "host/script/sandbox.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

using script::ScriptTask;

// Longer ones are not held against each other: it takes the product of both lengths.
constexpr std::size_t kLongestName = 200;

// How many letters differ between two names (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

unsigned ground_bit(ScriptTask::Ground ground) {
  switch (ground) {
    case ScriptTask::Ground::record:
    case ScriptTask::Ground::timer:
      return kMessage;
    case ScriptTask::Ground::every:
      return kEvery;
    case ScriptTask::Ground::http:
      return kHttp;
    case ScriptTask::Ground::map:
      return kMap;
  }
  return 0;
}

const char* ground_name(ScriptTask::Ground ground) {
  switch (ground) {
    case ScriptTask::Ground::record:
      return "the handler of a message";
    case ScriptTask::Ground::timer:
      return "the handler of a timer";
    case ScriptTask::Ground::every:
      return "an `every` handler";
    case ScriptTask::Ground::http:
      return "an HTTP handler";
    case ScriptTask::Ground::map:
      return "a stream's map";
  }
  return "";
}

ScriptTask& need_task(lua_State* L, const char* name, unsigned grounds, bool breaks_rebuild) {
  ScriptTask& task = script::ScriptEngine::task_of(L);
  if (!task.engine().is_ctx(L, 1)) {
    script::raise(L, std::string("call it with a colon: ctx:") + name + "(...)");
  }
  if ((ground_bit(task.ground()) & grounds) == 0) {
    script::raise(L, std::string("ctx:") + name + " is not there in " + ground_name(task.ground()));
  }
  if (breaks_rebuild && task.engine().manifest().rebuild && !task.in_http()) {
    script::raise(L, std::string("ctx:") + name +
                         " is not there in a handler of a plugin with `rebuild = true`");
  }
  if (task.left() != ScriptTask::Leave::none) {
    script::raise(L, "the handler was left by ctx:retry or ctx:dead");
  }
  return task;
}

void need_to_wait(lua_State* L, const char* name) {
  if (lua_isyieldable(L) != 0) return;
  script::raise(L, std::string("ctx:") + name +
                       " cannot wait here (inside table.sort, string.gsub or a metamethod)");
}

int wait_for(lua_State* L, std::uint64_t effect) {
  lua_settop(L, 0);
  script::push_host_mark(L);
  lua_pushnumber(L, static_cast<lua_Number>(effect));
  return lua_yield(L, 2);
}

void charge(lua_State* L, ScriptTask& task, const char* name, std::size_t bytes) {
  const std::size_t most = task.in_http() ? script::kMaxHttpEmitBytes : script::kMaxEmitBytes;
  if (task.unit_bytes + bytes > most) {
    script::raise(L, std::string("ctx:") + name + ": more than " +
                         std::to_string(most / 1'000'000) + " MB in one unit of work");
  }
  task.unit_bytes += bytes;
}

std::string_view need_text(lua_State* L, int index, const char* name, const char* what) {
  if (lua_type(L, index) != LUA_TSTRING) {
    script::raise(
        L, std::string("ctx:") + name + ": " + what + " must be text, not " +
               (lua_isnoneornil(L, index) ? "nil" : std::string("a ") + luaL_typename(L, index)));
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

Duration need_duration(lua_State* L, int index, const char* name, const char* what) {
  auto duration = script::to_duration(L, index);
  if (!duration) {
    script::raise(L, std::string("ctx:") + name + ": " + what + ": " + duration.error().message);
  }
  return *duration;
}

void Suggestion::offer(std::string_view name) {
  if (wanted_.size() > kLongestName || name.size() > kLongestName) return;
  const std::size_t d = distance(wanted_, name);
  if (d >= distance_ || d >= name.size()) return;
  distance_ = d;
  best_ = name;
}

std::string Suggestion::text() const {
  return best_.empty() ? "" : " (did you mean '" + best_ + "'?)";
}

}  // namespace host::bindings
