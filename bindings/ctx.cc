#include "bindings/ctx.h"

#include "bindings/ctx_support.h"
#include "host/script/sandbox.h"
#include "host/script/values.h"

extern "C" const char host_embedded_ctx[];
extern "C" const char host_embedded_ctx_end[];

namespace host::bindings {
namespace {

using script::ScriptTask;

void push_view(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}

void push_headers(lua_State* L, const Headers& headers) {
  lua_createtable(L, 0, static_cast<int>(headers.size()));
  for (const auto& [name, value] : headers) {
    push_view(L, name);
    push_view(L, value);
    lua_rawset(L, -3);
  }
}

// A field of the message whose turn it is.
struct Field {
  const char* name;
  unsigned grounds;
  void (*push)(lua_State* L, ScriptTask& task);
};
constexpr Field kFields[] = {
    {"state", kMessage,
     [](lua_State* L, ScriptTask& task) {
       if (!task.has_key()) script::raise(L, "this message has no key: there is no ctx.state");
       task.push_state(L);
     }},
    {"key", kMessage | kMap,
     [](lua_State* L, ScriptTask& task) {
       const auto& key = task.message().key;
       if (key) {
         push_view(L, *key);
       } else {
         lua_pushnil(L);
       }
     }},
    {"topic", kMessage | kEvery | kMap,
     [](lua_State* L, ScriptTask& task) { push_view(L, task.message().topic); }},
    {"id", kMessage | kEvery | kMap,
     [](lua_State* L, ScriptTask& task) { push_view(L, task.message().id); }},
    {"headers", kMessage | kMap,
     [](lua_State* L, ScriptTask& task) { push_headers(L, task.message().headers); }},
    {"attempt", kMessage | kEvery,
     [](lua_State* L, ScriptTask& task) { lua_pushinteger(L, task.message().attempt); }},
    {"last_attempt", kMessage | kEvery,
     [](lua_State* L, ScriptTask& task) { lua_pushboolean(L, task.call().last_attempt ? 1 : 0); }},
    {"exists", kMessage,
     [](lua_State* L, ScriptTask& task) {
       lua_pushboolean(L, task.call().state != nullptr && task.call().state->bytes ? 1 : 0);
     }},
    {"shard", kMessage | kEvery,
     [](lua_State* L, ScriptTask& task) { lua_pushinteger(L, task.call().shard); }},
    {"correlation_id", kAnywhere | kMap,
     [](lua_State* L, ScriptTask& task) { push_view(L, task.correlation_id()); }},
};

// The last __index of ctx: (methods, name).
int ctx_field(lua_State* L) {
  if (lua_type(L, 2) != LUA_TSTRING) script::raise(L, "ctx has fields with names only");
  const std::string_view name = lua_tostring(L, 2);
  for (const Field& field : kFields) {
    if (name != field.name) continue;
    ScriptTask& task = script::ScriptEngine::task_of(L);
    if ((field.grounds & ground_bit(task.ground())) == 0) {
      script::raise(L, "ctx." + std::string(name) + " is not there in " +
                           ground_name(task.ground()) +
                           (task.in_http() && name == "state" ? ": use ctx:read(key)" : ""));
    }
    field.push(L, task);
    return 1;
  }
  Suggestion suggestion(name);
  for (const Field& field : kFields) suggestion.offer(field.name);
  lua_settop(L, 2);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) suggestion.offer(lua_tostring(L, -2));
  }
  script::raise(L, "ctx has no '" + std::string(name) + "'" + suggestion.text());
}

int ctx_set(lua_State* L) {
  ScriptTask& task = script::ScriptEngine::task_of(L);
  const std::string_view name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (name != "state") {
    script::raise(L,
                  "ctx." + std::string(name) + " cannot be set: keep it in ctx.state or a local");
  }
  if (!task.has_key()) script::raise(L, "there is no ctx.state here");
  task.set_state(L, 3);
  return 0;
}

int ctx_now(lua_State* L) {
  script::push_time(L, need_task(L, "now", kAnywhere | kMap).call().now);
  return 1;
}

// (ctx, name, choice) -> decide, config, name
int find_policy(lua_State* L) {
  ScriptTask& task = need_task(L, "decide", kAnywhere);
  const auto& table = task.engine().table();
  const std::string name(need_text(L, 2, "decide", "the policy's name"));
  const auto* policy = table.find_policy(name);
  if (policy == nullptr) {
    Suggestion suggestion(name);
    for (const auto& p : table.policies) suggestion.offer(p.name);
    script::raise(
        L, "ctx:decide: there is no policy '" + name + "' in `policies`" + suggestion.text());
  }
  const auto* choice = &policy->choices.at(policy->chosen);
  if (!lua_isnoneornil(L, 3)) {
    const std::string wanted(need_text(L, 3, "decide", "the choice"));
    choice = policy->find(wanted);
    if (choice == nullptr) {
      script::raise(L, "ctx:decide: '" + wanted + "' is not listed for the policy '" + name + "'");
    }
  }
  if (!choice->unavailable.empty()) {
    script::raise(L, "ctx:decide: " + choice->module + ": " + choice->unavailable);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, choice->decide);
  if (choice->config == script::kNoRef) {
    lua_newtable(L);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, choice->config);
  }
  push_view(L, name);
  return 3;
}

// (ctx, name, answer) -> the answer in the shape that the policy's `returns` says
int check_choice(lua_State* L) {
  ScriptTask& task = script::ScriptEngine::task_of(L);
  const auto* policy = task.engine().table().find_policy(lua_tostring(L, 2));
  lua_settop(L, 3);
  if (policy == nullptr || policy->returns == nullptr) return 1;
  std::string json;
  script::Violations violations;
  if (!script::append_json(L, 3, policy->returns.get(), json, violations) ||
      !script::push_json(L, json, policy->returns.get(), violations)) {
    script::raise(L, "ctx:decide: what the policy '" + policy->name +
                         "' answered does not fit: " + script::to_string(violations));
  }
  return 1;
}

int raise_text(lua_State* L) { script::raise(L, luaL_checkstring(L, 1)); }

void add(lua_State* L, std::span<const CtxFunction> functions) {
  for (const CtxFunction& f : functions) {
    lua_pushcfunction(L, f.function);
    lua_setfield(L, -2, f.name);
  }
}

// Runs ctx.lua over the methods on top of the stack.
void run_prelude(lua_State* L) {
  const auto size = static_cast<std::size_t>(host_embedded_ctx_end - host_embedded_ctx);
  const int methods = lua_gettop(L);
  if (luaL_loadbuffer(L, host_embedded_ctx, size, script::kHostChunk) != 0) lua_error(L);
  lua_pushvalue(L, methods);
  lua_getglobal(L, "coroutine");
  const int coroutine = lua_gettop(L);
  for (const char* name : {"yield", "create", "raw_resume", "status"}) {
    if (std::string_view(name) == "raw_resume") {
      script::push_raw_resume(L);
    } else {
      lua_getfield(L, coroutine, name);
    }
  }
  lua_remove(L, coroutine);
  script::push_host_mark(L);
  lua_pushcfunction(L, script::guarded<raise_text>);
  lua_pushcfunction(L, script::guarded<find_policy>);
  lua_pushcfunction(L, script::guarded<check_choice>);
  lua_call(L, 9, 0);
}

}  // namespace

int open_ctx(lua_State* L) {
  script::ScriptEngine& engine = script::ScriptEngine::of(L);
  lua_newtable(L);            // ctx itself stays empty
  lua_createtable(L, 0, 3);   // its metatable
  lua_createtable(L, 0, 40);  // methods and what is the same for every message
  add(L, ctx_message_functions());
  add(L, ctx_effect_functions());
  add(L, ctx_chance_functions());
  add(L, ctx_measure_functions());
  lua_pushcfunction(L, script::guarded<ctx_now>);
  lua_setfield(L, -2, "now");
  push_ctx_log(L);
  lua_setfield(L, -2, "log");
  push_view(L, engine.manifest().name);
  lua_setfield(L, -2, "plugin");
  push_view(L, engine.manifest().revision);
  lua_setfield(L, -2, "revision");
  if (engine.table().config == script::kNoRef) {
    lua_newtable(L);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine.table().config);
  }
  lua_setfield(L, -2, "config");
  run_prelude(L);

  lua_createtable(L, 0, 1);  // of the methods: fields of the message, then what does not exist
  lua_pushcfunction(L, script::guarded<ctx_field>);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);

  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, script::guarded<ctx_set>);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  return 1;
}

}  // namespace host::bindings
