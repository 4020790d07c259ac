// What a handler starts with: the function, ctx and the decoded message.
#include "host/script/sandbox.h"
#include "host/script/task.h"
#include "host/script/values.h"

namespace host::script {

void ScriptTask::refuse(std::string why) { refused_ = std::move(why); }

int ScriptTask::push_call(lua_State* L) {
  luaL_checkstack(L, 10, "call");
  switch (ground_) {
    case Ground::record:
      return push_record(L);
    case Ground::timer:
      return push_timer(L);
    case Ground::every:
      return push_every(L);
    case Ground::http:
      return push_http(L);
    case Ground::map:
      return push_map(L);
  }
  return -1;
}

int ScriptTask::push_record(lua_State* L) {
  const auto& subscriptions = engine_.manifest().on;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    if (subscriptions[i].topic != message().topic) continue;
    const PluginTable::Subscription& on = engine_.table().on[i];
    return push_payload(L, on.schema, on.handle);
  }
  refuse("no handler for the topic '" + message().topic + "' in this revision");
  return -1;
}

int ScriptTask::push_timer(lua_State* L) {
  const std::size_t i = engine_.table().timer_index(message().topic);
  if (i < engine_.table().timers.size()) {
    const PluginTable::Timer& timer = engine_.table().timers[i];
    return push_payload(L, timer.schema, timer.handle);
  }
  refuse("no timer '" + message().topic + "' in this revision");
  return -1;
}

int ScriptTask::push_every(lua_State* L) {
  const std::size_t i = engine_.table().every_index(message().topic);
  if (i >= engine_.table().every.size()) {
    refuse("no every '" + message().topic + "' in this revision");
    return -1;
  }
  handler_ = engine_.table().every[i].handle;
  lua_rawgeti(L, LUA_REGISTRYINDEX, handler_);
  lua_rawgeti(L, LUA_REGISTRYINDEX, engine_.ctx_);
  return 2;
}

// A timer without payload has none: its handler gets nil, or what its schema fills in.
int ScriptTask::push_payload(lua_State* L, const SchemaPtr& schema,
                             const PluginTable::Handler& handler) {
  handler_ = handler.any();
  Violations violations;
  if (message().payload.empty() && ground_ == Ground::timer) {
    if (schema == nullptr) {
      lua_pushnil(L);
    } else if (!push_defaults(L, *schema, violations)) {
      refuse("the payload: " + to_string(violations));
      return -1;
    }
  } else if (!push_json(L, message().payload, schema.get(), violations)) {
    refuse("the payload: " + to_string(violations));
    return -1;
  }
  LuaRef function = handler.function;
  if (function == kNoRef && schema != nullptr) {
    lua_getfield(L, -1, schema->tag_field().c_str());
    const char* tag = lua_tostring(L, -1);
    function = handler.find(tag != nullptr ? tag : "");
    lua_pop(L, 1);
  }
  if (function == kNoRef) {
    refuse("no handler for this payload's '" + (schema ? schema->tag_field() : "type") + "'");
    return -1;
  }
  handler_ = function;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  lua_insert(L, -2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, engine_.ctx_);
  lua_insert(L, -2);
  return 3;
}

int ScriptTask::push_map(lua_State* L) {
  const PluginTable::Route& route = engine_.table().routes.at(call_.route);
  const SchemaPtr* schema = nullptr;
  const auto& subscriptions = engine_.manifest().on;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    if (subscriptions[i].topic == message().topic) schema = &engine_.table().on[i].schema;
  }
  if (route.map == kNoRef) raise(L, "this route has no map");
  handler_ = route.map;
  lua_rawgeti(L, LUA_REGISTRYINDEX, handler_);
  lua_rawgeti(L, LUA_REGISTRYINDEX, engine_.ctx_);
  Violations violations;
  if (!push_json(L, message().payload, schema ? schema->get() : nullptr, violations)) {
    raise(L, "the payload: " + to_string(violations));
  }
  return 3;
}

namespace {

void push_error(lua_State* L, const Error& error) {
  const char* code = "unavailable";
  if (error.code == Error::Code::timeout) code = "timeout";
  if (error.code == Error::Code::not_found) code = "not_found";
  if (error.code == Error::Code::exhausted) code = "rate_limited";
  if (error.code == Error::Code::invalid || error.code == Error::Code::corrupt) code = "invalid";
  lua_pushnil(L);
  lua_createtable(L, 0, 3);
  lua_pushstring(L, code);
  lua_setfield(L, -2, "code");
  const std::string message =
      error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  lua_pushlstring(L, message.data(), message.size());
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, error.retryable ? 1 : 0);
  lua_setfield(L, -2, "retryable");
}

void push_column(lua_State* L, const SqlValue& value, const Schema* type, const std::string& name) {
  const auto mismatch = [L, &name, type](const std::string& why) {
    raise(L, "the column '" + name + "' is no " + type->describe() + ": " + why);
  };
  if (type == nullptr) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      push_int64(L, *whole);
    } else if (const auto* number = std::get_if<double>(&value)) {
      lua_pushnumber(L, *number);
    } else {
      const auto& text = std::get<std::string>(value);
      lua_pushlstring(L, text.data(), text.size());
    }
    return;
  }
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto* number = std::get_if<double>(&value);
  if (type->kind() == Schema::Kind::money && whole != nullptr) return push_money(L, *whole);
  if (type->kind() == Schema::Kind::money && number != nullptr) {
    auto money = money_of_number(*number);
    if (!money) mismatch(money.error().message);
    return push_money(L, *money);
  }
  if (type->kind() == Schema::Kind::boolean && whole != nullptr) {
    return lua_pushboolean(L, *whole != 0 ? 1 : 0);
  }
  if (whole != nullptr || number != nullptr) return push_column(L, value, nullptr, name);
  Violations violations;
  if (!push_text_value(L, std::get<std::string>(value), *type, violations)) {
    mismatch(to_string(violations));
  }
}

void push_rows(lua_State* L, const SqlRows& rows,
               const std::vector<std::pair<std::string, SchemaPtr>>& types) {
  std::vector<const Schema*> schemas(rows.columns.size(), nullptr);
  for (std::size_t c = 0; c < rows.columns.size(); ++c) {
    for (const auto& [name, schema] : types) {
      if (name == rows.columns[c]) schemas[c] = schema.get();
    }
  }
  lua_createtable(L, static_cast<int>(rows.rows.size()), 0);
  mark_list(L);
  int place = 0;
  for (const auto& row : rows.rows) {
    lua_createtable(L, 0, static_cast<int>(row.size()));
    for (std::size_t c = 0; c < row.size() && c < rows.columns.size(); ++c) {
      if (std::holds_alternative<std::monostate>(row[c])) continue;  // NULL: an absent field
      lua_pushlstring(L, rows.columns[c].data(), rows.columns[c].size());
      push_column(L, row[c], schemas[c], rows.columns[c]);
      lua_rawset(L, -3);
    }
    lua_rawseti(L, -2, ++place);
  }
}

}  // namespace

int ScriptTask::push_answer(lua_State* L, const Waiting& waiting,
                            const ports::EffectAnswer& answer) {
  luaL_checkstack(L, 10, "answer");
  if (const auto* error = std::get_if<Error>(&answer)) {
    push_error(L, *error);
    return 2;
  }
  if (const auto* rows = std::get_if<SqlRows>(&answer)) {
    push_rows(L, *rows, waiting.types);
    return 1;
  }
  if (const auto* page = std::get_if<ports::RowsAnswer>(&answer)) {
    push_rows(L, page->rows, waiting.types);
    if (page->cursor == 0) return 1;
    lua_pushnumber(L, static_cast<lua_Number>(page->cursor));
    return 2;
  }
  if (const auto* row = std::get_if<ports::StateRow>(&answer)) {
    std::string why = "no state of the key '" + waiting.name + "'";
    const bool there = row->bytes.has_value();
    if (there && push_stored(L, *row, why)) return 1;
    push_error(L, make_error(there ? Error::Code::unavailable : Error::Code::not_found, why));
    return 2;
  }
  if (const auto* list = std::get_if<ports::StateList>(&answer)) {
    lua_createtable(L, static_cast<int>(list->items.size()), 0);
    mark_list(L);
    int place = 0;
    for (const ports::ListedState& item : list->items) {
      std::string why;
      lua_createtable(L, 0, 2);
      if (!push_stored(L, item.state, why)) {
        lua_pop(L, 2);
        push_error(L, make_error(Error::Code::unavailable, item.key + ": " + why));
        return 2;
      }
      lua_setfield(L, -2, "state");
      lua_pushlstring(L, item.key.data(), item.key.size());
      lua_setfield(L, -2, "key");
      lua_rawseti(L, -2, ++place);
    }
    if (list->next) {
      lua_pushlstring(L, list->next->data(), list->next->size());
    } else {
      lua_pushnil(L);
    }
    return 2;
  }
  if (const auto* reply = std::get_if<std::string>(&answer)) {
    Violations violations;
    if (!push_json(L, *reply, nullptr, violations)) raise(L, "the reply " + to_string(violations));
    return 1;
  }
  lua_pushboolean(L, 1);
  return 1;
}

}  // namespace host::script
