// What a handler waits for, and plugin SQL.
#include <cmath>

#include "bindings/ctx_messages.h"
#include "bindings/ctx_support.h"
#include "host/core/partition.h"
#include "host/script/sandbox.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

using script::ScriptTask;

constexpr Duration kAskTimeout = std::chrono::seconds(10);
constexpr std::size_t kMaxPage = 1000;

// In SQL: money as minor units, times as text that sorts, tables as JSON, booleans as 0 and 1.
SqlValue sql_value(lua_State* L, int index, const std::string& name) {
  if (script::is_null(L, index)) return std::monostate{};
  if (const auto money = script::to_money(L, index)) return *money;
  if (const auto time = script::to_time(L, index)) return format_sortable_time(*time);
  if (const auto kind = script::boxed_kind(L, index)) {
    const auto bits = script::to_boxed_bits(L, index).value_or(0);
    if (*kind == script::Boxed::int64) return static_cast<std::int64_t>(bits);
    script::raise(L, "the parameter ':" + name + "' is larger than a bigint");
  }
  switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
      return static_cast<std::int64_t>(lua_toboolean(L, index));
    case LUA_TNUMBER: {
      const double number = lua_tonumber(L, index);
      if (!std::isfinite(number)) {
        script::raise(L, "the parameter ':" + name + "' is not a finite number");
      }
      if (number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
          number == static_cast<double>(static_cast<std::int64_t>(number))) {
        return static_cast<std::int64_t>(number);
      }
      return number;
    }
    case LUA_TSTRING: {
      std::size_t size = 0;
      const char* text = lua_tolstring(L, index, &size);
      return std::string(text, size);
    }
    case LUA_TTABLE: {
      std::string json;
      script::Violations violations;
      if (!script::append_json(L, index, nullptr, json, violations)) {
        script::raise(L, "the parameter ':" + name + "': " + script::to_string(violations));
      }
      return json;
    }
    default:
      script::raise(L, "the parameter ':" + name + "' cannot be a " + luaL_typename(L, index));
  }
}

SqlStatement read_statement(lua_State* L, const char* name) {
  SqlStatement statement;
  statement.text = need_text(L, 2, name, "the statement");
  script::script_place(L, statement.file, statement.line);
  script::ScriptEngine::of(L).complete_file(statement.file);
  if (lua_isnoneornil(L, 3)) return statement;
  if (lua_type(L, 3) != LUA_TTABLE) {
    script::raise(L, std::string("ctx:") + name + ": the parameters must be a table by name");
  }
  for (lua_pushnil(L); lua_next(L, 3) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      script::raise(L, std::string("ctx:") + name + ": parameters have names (:name), not places");
    }
    const std::string parameter = lua_tostring(L, -2);
    statement.parameters[parameter] = sql_value(L, lua_gettop(L), parameter);
  }
  return statement;
}

/// The schemas of columns, at `index`.
std::vector<std::pair<std::string, script::SchemaPtr>> read_types(lua_State* L, int index,
                                                                  const char* name) {
  std::vector<std::pair<std::string, script::SchemaPtr>> types;
  if (lua_type(L, index) != LUA_TTABLE) return types;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    auto schema = script::to_schema(L, -1);
    if (lua_type(L, -2) != LUA_TSTRING || schema == nullptr) {
      script::raise(L, std::string("ctx:") + name + ": types are schemas by the names of columns");
    }
    types.emplace_back(lua_tostring(L, -2), std::move(schema));
  }
  return types;
}

// Named in ctx.lua, which raises what the database refused.
int ctx_query(lua_State* L) {
  ScriptTask& task = need_task(L, "query", kAnywhere, true);
  if (!task.unit().sql.empty()) {
    script::raise(L,
                  "ctx:query after ctx:exec: the exec is carried out with the commit, so the "
                  "query would not see it (query first)");
  }
  SqlStatement statement = read_statement(L, "query");
  ScriptTask::Waiting waiting;
  waiting.types = read_types(L, 4, "query");
  need_to_wait(L, "query");
  return wait_for(L,
                  task.begin_effect(ports::QueryEffect{std::move(statement)}, std::move(waiting)));
}

// One page: of a statement, or of the cursor that stands in its place. ctx.lua makes the iterator.
int ctx_rows(lua_State* L) {
  ScriptTask& task = need_task(L, "rows", kHttp);
  ports::RowsEffect effect;
  if (lua_type(L, 2) == LUA_TNUMBER) {
    effect.cursor = static_cast<std::uint64_t>(lua_tonumber(L, 2));
  } else {
    effect.statement = read_statement(L, "rows");
  }
  ScriptTask::Waiting waiting;
  waiting.types = read_types(L, 4, "rows");
  need_to_wait(L, "rows");
  return wait_for(L, task.begin_effect(std::move(effect), std::move(waiting)));
}

int ctx_exec(lua_State* L) {
  ScriptTask& task = need_task(L, "exec", kMessage | kEvery);
  if (task.unit().sql.size() >= script::kMaxStatements) {
    script::raise(L, "ctx:exec: more than " + std::to_string(script::kMaxStatements) +
                         " statements in one unit of work");
  }
  SqlStatement statement = read_statement(L, "exec");
  std::size_t bytes = statement.text.size();
  for (const auto& [name, value] : statement.parameters) {
    const auto* text = std::get_if<std::string>(&value);
    bytes += name.size() + (text ? text->size() : sizeof(value));
  }
  charge(L, task, "exec", bytes);
  task.unit().sql.push_back(std::move(statement));
  return 0;
}

void need_state(lua_State* L, ScriptTask& task, const char* name) {
  if (task.engine().table().state == nullptr) {
    script::raise(L, std::string("ctx:") + name + ": this plugin declares no state");
  }
}

int ctx_read(lua_State* L) {
  ScriptTask& task = need_task(L, "read", kMessage | kHttp, true);
  need_state(L, task, "read");
  const std::string key(need_text(L, 2, "read", "the key"));
  if (const std::string_view why = key_problem(key); !why.empty()) {
    script::raise(L, "ctx:read: bad key: " + std::string(why));
  }
  need_to_wait(L, "read");
  ScriptTask::Waiting waiting;
  waiting.name = key;
  return wait_for(L, task.begin_effect(ports::ReadEffect{key}, std::move(waiting)));
}

int ctx_list(lua_State* L) {
  ScriptTask& task = need_task(L, "list", kMessage | kHttp, true);
  need_state(L, task, "list");
  ports::ListEffect effect;
  if (!lua_isnoneornil(L, 2)) {
    if (lua_type(L, 2) != LUA_TTABLE) script::raise(L, "ctx:list takes { after, limit }");
    lua_getfield(L, 2, "after");
    if (!lua_isnil(L, -1)) effect.after = need_text(L, -1, "list", "after");
    lua_getfield(L, 2, "limit");
    if (!lua_isnil(L, -1)) {
      const double limit = lua_tonumber(L, -1);
      if (!(limit >= 1 && limit <= kMaxPage)) script::raise(L, "ctx:list: limit is from 1 to 1000");
      effect.limit = static_cast<std::size_t>(limit);
    }
  }
  need_to_wait(L, "list");
  return wait_for(L, task.begin_effect(std::move(effect), {}));
}

int ctx_ask(lua_State* L) {
  ScriptTask& task = need_task(L, "ask", kHttp);
  ports::AskEffect effect{read_emit(L, task, "ask"), kAskTimeout};
  if (!lua_isnoneornil(L, 5)) effect.timeout = need_duration(L, 5, "ask", "the timeout");
  need_to_wait(L, "ask");
  return wait_for(L, task.begin_effect(std::move(effect), {}));
}

int ctx_yield(lua_State* L) {
  ScriptTask& task = need_task(L, "yield", kAnywhere);
  need_to_wait(L, "yield");
  return wait_for(L, task.begin_effect(ports::YieldEffect{}, {}));
}

int ctx_health(lua_State* L) {
  ScriptTask& task = need_task(L, "health", kHttp);
  const auto& engine = task.engine();
  lua_createtable(L, 0, 4);
  lua_pushboolean(L, engine.broken() ? 0 : 1);
  lua_setfield(L, -2, "ok");
  lua_pushstring(L, engine.manifest().revision.c_str());
  lua_setfield(L, -2, "revision");
  lua_pushnumber(L, static_cast<lua_Number>(engine.memory_bytes()));
  lua_setfield(L, -2, "memory_bytes");
  lua_pushnumber(L, static_cast<lua_Number>(engine.running()));
  lua_setfield(L, -2, "running");
  return 1;
}

template <const char* const& Name>
int not_yet(lua_State* L) {
  script::raise(L, std::string("ctx:") + Name + " is not in this version");
}
const char* const kLlm = "llm";
const char* const kHttpName = "http";
const char* const kHash = "password_hash";
const char* const kMatches = "password_matches";
const char* const kToken = "token";

constexpr CtxFunction kFunctions[] = {
    {"query", script::guarded<ctx_query>},
    {"rows", script::guarded<ctx_rows>},
    {"exec", script::guarded<ctx_exec>},
    {"read", script::guarded<ctx_read>},
    {"list", script::guarded<ctx_list>},
    {"ask", script::guarded<ctx_ask>},
    {"yield", script::guarded<ctx_yield>},
    {"health", script::guarded<ctx_health>},
    {"llm", script::guarded<not_yet<kLlm>>},
    {"http", script::guarded<not_yet<kHttpName>>},
    {"password_hash", script::guarded<not_yet<kHash>>},
    {"password_matches", script::guarded<not_yet<kMatches>>},
    {"token", script::guarded<not_yet<kToken>>},
};

}  // namespace

std::span<const CtxFunction> ctx_effect_functions() { return kFunctions; }

}  // namespace host::bindings
