#include "host/script/engine.h"

#include <algorithm>

#include "host/base/check.h"
#include "host/script/task.h"
#include "host/script/watchdog.h"

namespace host::script {
namespace {

// Above this share of the cap no new coroutine begins.
constexpr double kAdmissionShare = 0.6;
// Idle coroutines kept for the next messages.
constexpr std::size_t kPooled = 256;

}  // namespace

ScriptEngine::ScriptEngine(std::unique_ptr<LuaState> state, PluginTable table,
                           ScriptServices services, EngineOptions options)
    : state_(std::move(state)), table_(std::move(table)), services_(services), options_(options) {
  state_->owner = this;
  state_->on_print = [this](lua_State*, std::string_view line) {
    services_.logger.log(ports::LogLevel::info, masked(std::string(line)),
                         {{"plugin", manifest().name}, {"revision", manifest().revision}});
  };
  for (const Manifest::Metric& metric : manifest().metrics) {
    const bool counter = metric.kind == Manifest::Metric::Kind::counter;
    services_.metrics.describe(manifest().name + "_" + metric.name + (counter ? "_total" : ""),
                               to_string(metric.kind), metric.help);
  }
}

ScriptEngine::~ScriptEngine() { HOST_DCHECK(running_ == 0, "tasks end before their engine"); }

Result<void> ScriptEngine::open_ctx(OpenCtx open) {
  return state_->protect([&](lua_State* L) {
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    ctx_address_ = lua_topointer(L, -1);
    ctx_ = luaL_ref(L, LUA_REGISTRYINDEX);
    push_request_metatable(L);
    request_metatable_ = luaL_ref(L, LUA_REGISTRYINDEX);
    if (table_.state == nullptr) return;
    Violations violations;
    if (!push_defaults(L, *table_.state, violations) ||
        !append_json(L, -1, table_.state.get(), default_state_, violations)) {
      raise(L, "the state's defaults: " + to_string(violations));
    }
  });
}

bool ScriptEngine::crowded() const {
  const auto limit = static_cast<double>(state_->memory_cap()) * kAdmissionShare;
  return static_cast<double>(state_->memory_bytes()) >= limit;
}

bool ScriptEngine::admits() const {
  if (broken_ || running_ >= options_.max_running) return false;
  if (!crowded()) return true;
  // Scripts collect while they run: where none runs nothing else would make room again. What is
  // still there afterwards is the script's own; then one runs alone, and fails if it cannot.
  if (running_ > 0) return false;
  state_->collect_all();
  return true;
}

ports::Engine::Started ScriptEngine::start(ports::Call&& call) {
  auto task = std::make_unique<ScriptTask>(*this, std::move(call));
  ports::Step step = task->begin();
  if (step.finished()) return {nullptr, std::move(step)};
  return {std::move(task), std::move(step)};
}

Result<ports::Engine::Inspected> ScriptEngine::inspect(const Manifest::Subscription& subscription,
                                                       const std::string& payload) {
  Inspected found;
  std::string problem;
  const auto text_field = [&problem](lua_State* L, const std::string& field) {
    std::optional<std::string> text;
    if (field.empty()) return text;
    lua_getfield(L, -1, field.c_str());
    if (lua_type(L, -1) == LUA_TSTRING) {
      std::size_t size = 0;
      const char* begin = lua_tolstring(L, -1, &size);
      text = std::string(begin, size);
    } else if (problem.empty()) {
      problem =
          "the field '" + field + "' is " +
          (lua_isnil(L, -1) ? "missing" : std::string("no text but a ") + luaL_typename(L, -1));
    }
    lua_pop(L, 1);
    return text;
  };
  auto read = state_->protect([&](lua_State* L) {
    Violations violations;
    if (!push_json(L, payload, nullptr, violations)) {
      problem = "the payload " + to_string(violations);
    } else if (lua_type(L, -1) != LUA_TTABLE) {
      problem = "the payload is no object";
    } else {
      found.key = text_field(L, subscription.key_field);
      if (subscription.once) found.once = text_field(L, subscription.once->field);
    }
  });
  if (!read) return read.error();
  if (!problem.empty()) return make_error(Error::Code::invalid, problem);
  return found;
}

ScriptEngine& ScriptEngine::of(lua_State* L) {
  auto* engine = static_cast<ScriptEngine*>(LuaState::of(L).owner);
  if (engine == nullptr) raise(L, "ctx is only there while a message is handled");
  return *engine;
}

ScriptTask& ScriptEngine::task_of(lua_State* L) {
  ScriptEngine& engine = of(L);
  if (engine.current_ == nullptr) raise(L, "ctx is only there while a message is handled");
  return *engine.current_;
}

void ScriptEngine::complete_file(std::string& file) const {
  if (!file.starts_with("...")) return;
  const std::string end = file.substr(3);
  for (const auto& [path, text] : table_.files) {
    if (path.ends_with(end)) file = path;
  }
}

std::string ScriptEngine::masked(std::string text) const {
  for (const std::string& secret : table_.secrets) {
    if (secret.empty()) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }
  return text;
}

ScriptEngine::Coroutine ScriptEngine::take_coroutine(lua_State* L) {
  if (!pool_.empty()) {
    const Coroutine coroutine = pool_.back();
    pool_.pop_back();
    return coroutine;
  }
  Coroutine coroutine;
  coroutine.L = lua_newthread(L);
  coroutine.ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return coroutine;
}

void ScriptEngine::give_back(Coroutine coroutine) {
  if (coroutine.L == nullptr) return;
  if (pool_.size() >= kPooled) return drop(coroutine);
  lua_settop(coroutine.L, 0);
  pool_.push_back(coroutine);
}

void ScriptEngine::drop(Coroutine coroutine) {
  if (coroutine.L != nullptr) luaL_unref(state_->get(), LUA_REGISTRYINDEX, coroutine.ref);
}

}  // namespace host::script
