// Logs and metrics of a script. They are not part of the unit of work: a repeat writes them again.
#include <algorithm>
#include <cmath>

#include "bindings/ctx_support.h"
#include "bindings/module_table.h"
#include "host/script/sandbox.h"

namespace host::bindings {
namespace {

using script::ScriptTask;

std::string text_of(lua_State* L, int index) {
  script::push_text_of(L, index);
  std::size_t size = 0;
  const char* begin = lua_tolstring(L, -1, &size);
  std::string text(begin, size);
  lua_pop(L, 1);
  return text;
}

int write_log(lua_State* L, ports::LogLevel level) {
  ScriptTask& task = script::ScriptEngine::task_of(L);
  if (task.engine().is_ctx(L, 1) || lua_type(L, 1) == LUA_TTABLE) {
    script::raise(L, "call it with a dot: ctx.log.info(text, fields)");
  }
  ports::Logger& logger = task.engine().services().logger;
  if (!logger.enabled(level)) return 0;
  const Manifest& manifest = task.engine().manifest();
  ports::LogFields fields{{"plugin", manifest.name}, {"revision", manifest.revision}};
  if (!task.message().id.empty()) fields.emplace_back("id", task.message().id);
  if (task.message().key) fields.emplace_back("key", *task.message().key);
  if (const std::string_view id = task.correlation_id(); !id.empty()) {
    fields.emplace_back("correlation_id", id);
  }
  if (lua_type(L, 2) == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
      std::string name = text_of(L, lua_gettop(L) - 1);
      fields.emplace_back(std::move(name), task.engine().masked(text_of(L, lua_gettop(L))));
    }
  } else if (!lua_isnoneornil(L, 2)) {
    script::raise(L, "the fields of a log line are a table by name");
  }
  logger.log(level, task.engine().masked(text_of(L, 1)), fields);
  return 0;
}

template <ports::LogLevel Level>
int log_line(lua_State* L) {
  luaL_checkany(L, 1);
  return write_log(L, Level);
}

struct Measure {
  std::string name;  // as exported
  double value = 0;
  ports::Labels labels;
};

const Manifest::Metric& declared(lua_State* L, const Manifest& manifest, const std::string& name,
                                 Manifest::Metric::Kind kind, const char* function) {
  Suggestion suggestion(name);
  for (const Manifest::Metric& metric : manifest.metrics) {
    suggestion.offer(metric.name);
    if (metric.name != name) continue;
    if (metric.kind == kind) return metric;
    script::raise(L, std::string("ctx:") + function + ": '" + name + "' is declared as a " +
                         to_string(metric.kind));
  }
  script::raise(L, std::string("ctx:") + function + ": the metric '" + name +
                       "' is not declared in `metrics`" + suggestion.text());
}

Measure read_measure(lua_State* L, ScriptTask& task, const char* function,
                     Manifest::Metric::Kind kind) {
  const Manifest& manifest = task.engine().manifest();
  const std::string name(need_text(L, 2, function, "the metric's name"));
  const Manifest::Metric& metric = declared(L, manifest, name, kind, function);
  const bool counter = kind == Manifest::Metric::Kind::counter;
  Measure measure{manifest.name + "_" + name + (counter ? "_total" : ""), 1, {}};
  if (!(counter && lua_isnoneornil(L, 3))) {
    if (lua_type(L, 3) != LUA_TNUMBER) {
      script::raise(L, std::string("ctx:") + function + ": the value must be a number");
    }
    measure.value = lua_tonumber(L, 3);
    if (!std::isfinite(measure.value)) {
      script::raise(L, std::string("ctx:") + function + ": the value must be a finite number");
    }
  }
  if (counter && measure.value < 0) {
    script::raise(L, "ctx:count: a counter never goes down");
  }
  for (const std::string& label : metric.labels) {
    std::string value;
    if (lua_type(L, 4) == LUA_TTABLE) {
      lua_getfield(L, 4, label.c_str());
      if (!lua_isnil(L, -1)) value = text_of(L, lua_gettop(L));
      lua_pop(L, 1);
    }
    measure.labels.emplace_back(label, std::move(value));
  }
  if (lua_type(L, 4) == LUA_TTABLE) {
    for (lua_pushnil(L); lua_next(L, 4) != 0; lua_pop(L, 1)) {
      const std::string label = text_of(L, lua_gettop(L) - 1);
      if (std::find(metric.labels.begin(), metric.labels.end(), label) == metric.labels.end()) {
        script::raise(
            L, std::string("ctx:") + function + ": '" + name + "' has no label '" + label + "'");
      }
    }
  }
  return measure;
}

int ctx_count(lua_State* L) {
  ScriptTask& task = need_task(L, "count", kAnywhere);
  const Measure m = read_measure(L, task, "count", Manifest::Metric::Kind::counter);
  task.engine().services().metrics.add(m.name, m.value, m.labels);
  return 0;
}

int ctx_gauge(lua_State* L) {
  ScriptTask& task = need_task(L, "gauge", kAnywhere);
  const Measure m = read_measure(L, task, "gauge", Manifest::Metric::Kind::gauge);
  task.engine().services().metrics.set(m.name, m.value, m.labels);
  return 0;
}

int ctx_observe(lua_State* L) {
  ScriptTask& task = need_task(L, "observe", kAnywhere);
  const Measure m = read_measure(L, task, "observe", Manifest::Metric::Kind::histogram);
  task.engine().services().metrics.observe(m.name, m.value, m.labels);
  return 0;
}

constexpr CtxFunction kFunctions[] = {
    {"count", script::guarded<ctx_count>},
    {"gauge", script::guarded<ctx_gauge>},
    {"observe", script::guarded<ctx_observe>},
};
constexpr CtxFunction kLog[] = {
    {"debug", script::guarded<log_line<ports::LogLevel::debug>>},
    {"info", script::guarded<log_line<ports::LogLevel::info>>},
    {"warn", script::guarded<log_line<ports::LogLevel::warn>>},
    {"error", script::guarded<log_line<ports::LogLevel::error>>},
};

}  // namespace

std::span<const CtxFunction> ctx_measure_functions() { return kFunctions; }

void push_ctx_log(lua_State* L) {
  lua_createtable(L, 0, 4);
  for (const CtxFunction& f : kLog) {
    lua_pushcfunction(L, f.function);
    lua_setfield(L, -2, f.name);
  }
  freeze_module(L, "ctx.log");
}

}  // namespace host::bindings
