// What a unit of work sends, plans and ends with.
#include "bindings/ctx_messages.h"

#include <algorithm>

#include "bindings/ctx_support.h"
#include "host/core/partition.h"
#include "host/script/sandbox.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

using script::ScriptTask;

/// Room for text in the making: it is copied once its size is known.
std::string& scratch() {
  thread_local std::string text;
  text.clear();
  return text;
}

/// `what()` names it in errors.
template <class What>
std::string payload_json(lua_State* L, int index, const script::Schema* schema, What what) {
  std::string& json = scratch();
  script::Violations violations;
  if (lua_isnone(L, index)) {
    lua_pushnil(L);
    index = lua_gettop(L);
  }
  if (!script::append_json(L, index, schema, json, violations)) {
    json = {};
    script::raise(L, what() + " does not fit: " + script::to_string(violations));
  }
  if (json.size() <= script::kMaxPayload) return json;
  const std::size_t size = json.size();
  json = {};
  script::raise(L, what() + " is too large: " + std::to_string(size) + " bytes of at most " +
                       std::to_string(script::kMaxPayload));
}

Headers read_headers(lua_State* L, int index, const char* name) {
  Headers headers;
  if (lua_isnoneornil(L, index)) return headers;
  if (lua_type(L, index) != LUA_TTABLE)
    script::raise(L, std::string("ctx:") + name + ": headers must be a table");
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      script::raise(L, std::string("ctx:") + name + ": names and values of headers are text");
    }
    const std::string header = lua_tostring(L, -2);
    if (header.starts_with("host-")) {
      script::raise(
          L, std::string("ctx:") + name + ": the header '" + header + "' is reserved for the host");
    }
    headers.emplace_back(header, lua_tostring(L, -1));
  }
  std::sort(headers.begin(), headers.end());
  return headers;
}

const script::PluginTable::Emit& declared(lua_State* L, ScriptTask& task, const std::string& topic,
                                          const char* name) {
  const auto& table = task.engine().table();
  const auto* emit = table.find_emit(topic);
  if (emit != nullptr) return *emit;
  Suggestion suggestion(topic);
  for (const auto& e : table.emits) suggestion.offer(e.topic);
  script::raise(L, std::string("ctx:") + name + ": the topic '" + topic +
                       "' is not declared in `emits`" + suggestion.text());
}

int ctx_emit(lua_State* L) {
  ScriptTask& task = need_task(L, "emit", kAnywhere, true);
  UnitOfWork& unit = task.unit();
  if (task.in_parts()) {
    script::raise(L,
                  "ctx:emit: the handler has returned, its messages are on their way: emit "
                  "before the iterator is returned");
  }
  const std::size_t most = task.in_http() ? script::kMaxHttpEmits : script::kMaxEmits;
  if (unit.emits.size() >= most) {
    script::raise(L,
                  "ctx:emit: more than " + std::to_string(most) + " messages in one unit of work");
  }
  Emit emit = read_emit(L, task, "emit");
  std::size_t bytes = emit.payload.size();
  for (const auto& [header, value] : emit.headers) bytes += header.size() + value.size();
  charge(L, task, "emit", bytes);
  unit.emits.push_back(std::move(emit));
  return 0;
}

std::string timer_payload(lua_State* L, ScriptTask& task, const std::string& timer, int index,
                          const char* name) {
  const auto& table = task.engine().table();
  const std::size_t i = table.timer_index(timer);
  if (i >= table.timers.size()) {
    Suggestion suggestion(timer);
    for (const auto& t : table.manifest.timers) suggestion.offer(t.name);
    script::raise(L, std::string("ctx:") + name + ": there is no timer '" + timer +
                         "' in `timers`" + suggestion.text());
  }
  if (lua_isnoneornil(L, index)) {
    const script::Schema* schema = table.timers[i].schema.get();
    if (schema == nullptr || schema->optional() || schema->fills_in()) return "";
  }
  return payload_json(L, index, table.timers[i].schema.get(),
                      [&] { return "the payload of the timer '" + timer + "'"; });
}

void need_room_for_timer(lua_State* L, ScriptTask& task, const char* name) {
  if (task.unit().timers.size() < script::kMaxTimers) return;
  script::raise(L, std::string("ctx:") + name + ": more than " +
                       std::to_string(script::kMaxTimers) + " timers in one unit of work");
}

int set_timer(lua_State* L, ScriptTask& task, Time due, const char* name) {
  if (!task.has_key()) script::raise(L, std::string("ctx:") + name + ": this message has no key");
  need_room_for_timer(L, task, name);
  TimerSet timer;
  timer.name = need_text(L, 3, name, "the timer's name");
  timer.payload = timer_payload(L, task, timer.name, 4, name);
  timer.due = due;
  charge(L, task, name, timer.payload.size());
  timer.id = task.next_timer_id();
  lua_pushlstring(L, timer.id.data(), timer.id.size());
  task.unit().timers.emplace_back(std::move(timer));
  return 1;
}

int ctx_after(lua_State* L) {
  ScriptTask& task = need_task(L, "after", kMessage, true);
  const Duration delay = need_duration(L, 2, "after", "the delay");
  return set_timer(L, task, task.call().wall_clock + delay, "after");
}

int ctx_at(lua_State* L) {
  ScriptTask& task = need_task(L, "at", kMessage, true);
  if (auto due = script::to_time(L, 2)) return set_timer(L, task, *due, "at");
  auto due = parse_time(need_text(L, 2, "at", "the time"));
  if (!due) script::raise(L, "ctx:at: " + due.error().message);
  return set_timer(L, task, *due, "at");
}

int ctx_cancel(lua_State* L) {
  ScriptTask& task = need_task(L, "cancel", kMessage);
  if (!task.has_key()) script::raise(L, "ctx:cancel: this message has no key");
  need_room_for_timer(L, task, "cancel");
  const std::string_view timer = need_text(L, 2, "cancel", "the timer's id or name");
  charge(L, task, "cancel", timer.size());
  task.unit().timers.emplace_back(TimerCancel{std::string(timer)});
  return 0;
}

int ctx_reply(lua_State* L) {
  ScriptTask& task = need_task(L, "reply", kMessage);
  task.unit().reply = payload_json(L, 2, nullptr, [] { return std::string("the reply"); });
  return 0;
}

int ctx_forget(lua_State* L) {
  ScriptTask& task = need_task(L, "forget", kMessage);
  if (!task.has_key()) script::raise(L, "ctx:forget: this message has no key");
  std::optional<Time> quiet_until;
  if (!lua_isnoneornil(L, 2)) {
    quiet_until = task.call().wall_clock + need_duration(L, 2, "forget", "the quiet time");
  }
  task.forget(quiet_until);
  return 0;
}

// Leaves the handler by a yield that is never resumed; where Lua cannot yield by an error that
// does not matter, because the task remembers.
int leave(lua_State* L) {
  if (lua_isyieldable(L) == 0) script::raise(L, "the handler is left");
  lua_settop(L, 0);
  script::push_host_mark(L);
  return lua_yield(L, 1);
}

int ctx_retry(lua_State* L) {
  ScriptTask& task = need_task(L, "retry", kMessage | kEvery);
  std::optional<Duration> delay;
  if (!lua_isnoneornil(L, 2)) delay = need_duration(L, 2, "retry", "the delay");
  std::string why = "ctx:retry";
  if (!lua_isnoneornil(L, 3)) why = need_text(L, 3, "retry", "the reason");
  Error error = make_error(Error::Code::script_error, task.engine().masked(std::move(why)));
  script::script_place(L, error.file, error.line);
  task.leave(ScriptTask::Leave::retry, delay, std::move(error));
  return leave(L);
}

int ctx_dead(lua_State* L) {
  ScriptTask& task = need_task(L, "dead", kMessage | kEvery);
  std::string why(need_text(L, 2, "dead", "the reason"));
  Error error = make_error(Error::Code::script_error, task.engine().masked(std::move(why)));
  script::script_place(L, error.file, error.line);
  task.leave(ScriptTask::Leave::dead, {}, std::move(error));
  return leave(L);
}

constexpr CtxFunction kFunctions[] = {
    {"emit", script::guarded<ctx_emit>},   {"after", script::guarded<ctx_after>},
    {"at", script::guarded<ctx_at>},       {"cancel", script::guarded<ctx_cancel>},
    {"reply", script::guarded<ctx_reply>}, {"forget", script::guarded<ctx_forget>},
    {"retry", script::guarded<ctx_retry>}, {"dead", script::guarded<ctx_dead>},
};

}  // namespace

Emit read_emit(lua_State* L, ScriptTask& task, const char* name) {
  Emit emit;
  emit.topic = need_text(L, 2, name, "the topic");
  const auto& rule = declared(L, task, emit.topic, name);
  if (!lua_isnil(L, 3)) {
    const std::string_view key = need_text(L, 3, name, "the key");
    if (const std::string_view why = key_problem(key); !why.empty()) {
      script::raise(L, std::string("ctx:") + name + ": bad key: " + std::string(why));
    }
    emit.key = std::string(key);
  }
  if (std::string_view(name) == "emit") emit.headers = read_headers(L, 5, name);
  emit.payload = payload_json(L, 4, rule.schema.get(), [&] {
    return std::string("ctx:") + name + ": the payload for '" + emit.topic + "'";
  });
  return emit;
}

std::span<const CtxFunction> ctx_message_functions() { return kFunctions; }

}  // namespace host::bindings
