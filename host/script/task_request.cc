// What a handler sees of its request. What is checked is decoded before the handler begins, so that
// a request that does not fit is refused; the rest is made where the handler first looks at it.
#include <algorithm>
#include <array>

#include "host/script/sandbox.h"
#include "host/script/task.h"
#include "host/script/values.h"

namespace host::script {
namespace {

constexpr const char* kJson = "application/json";

/// The media type of the body, in lower case; "" when the request names none.
std::string media_type_of(const Headers& headers) {
  const std::string* value = find_header(headers, "content-type");
  if (value == nullptr) return "";
  std::string type = value->substr(0, value->find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return type;
}

std::string errors_json(const Violations& violations) {
  std::string text = "[";
  for (const Violation& violation : violations) {
    if (text.size() > 1) text += ',';
    text += "{\"at\":" + json_quote(violation.at) +
            ",\"message\":" + json_quote(violation.message) + "}";
  }
  return text + "]";
}

// Puts "body", "query", ... before the paths of the violations from `first` on.
void place(Violations& violations, std::size_t first, const std::string& part) {
  for (std::size_t i = first; i < violations.size(); ++i) {
    std::string& at = violations[i].at;
    at = at.empty() ? part : at.starts_with('[') ? part + at : part + "." + at;
  }
}

bool is_malformed(const Violations& violations) {
  return violations.size() == 1 &&
         (violations[0].message.find("is not JSON") != std::string::npos ||
          violations[0].message.find("beyond 64 bits") != std::string::npos);
}

int req_invalid(lua_State* L) {
  ScriptTask& task = ScriptEngine::task_of(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  std::string errors;
  Violations violations;
  lua_settop(L, 2);
  mark_list(L);
  if (!append_json(L, 2, nullptr, errors, violations)) raise(L, to_string(violations));
  task.set_invalid(std::move(errors));
  lua_pushinteger(L, 422);
  return 1;
}

void push_view(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
}

void push_user(lua_State* L, const ports::Call& call) {
  lua_createtable(L, 0, 2);
  push_view(L, call.user);
  lua_setfield(L, -2, "id");
  lua_createtable(L, static_cast<int>(call.roles.size()), 0);
  for (std::size_t i = 0; i < call.roles.size(); ++i) {
    push_view(L, call.roles[i]);
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
  lua_setfield(L, -2, "roles");
}

/// A part of the request that is text: params, query and headers.
struct TextPart {
  const char* name;
  const TextPairs& pairs;
  const Schema* schema;
  UnknownFields unknown;

  /// Whether it may be refused, or reads otherwise than it came.
  bool checked() const { return schema != nullptr && !schema->fields().empty(); }
};

std::array<TextPart, 3> text_parts(const ports::Call& call, const PluginTable::Route& route) {
  return {TextPart{"params", call.params, route.params.get(), UnknownFields::keep},
          TextPart{"query", call.request.query, route.query.get(),
                   route.query ? UnknownFields::drop : UnknownFields::keep},
          TextPart{"headers", call.request.headers, route.headers.get(), UnknownFields::keep}};
}

// The __index of a request: (request, name). Upvalue: its method.
int request_field(lua_State* L) {
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  const std::string_view name = lua_tostring(L, 2);
  if (name == "invalid") {
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
  }
  lua_settop(L, 2);
  if (!ScriptEngine::task_of(L).push_request_field(L, name)) return 0;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, 1);
  return 1;
}

}  // namespace

void push_request_metatable(lua_State* L) {
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, guarded<req_invalid>);
  lua_pushcclosure(L, guarded<request_field>, 1);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

bool ScriptTask::push_request_field(lua_State* L, std::string_view name) {
  if (lua_topointer(L, 1) != request_address_) {
    raise(L, "this request is over: what a later message needs is kept in a state");
  }
  if (name == "type") {
    push_view(L, media_type_of(call_.request.headers));
  } else if (name == "address") {
    push_view(L, call_.request.address);
  } else if (name == "user" && !call_.user.empty()) {
    push_user(L, call_);
  } else {
    for (const TextPart& part : text_parts(call_, engine_.table().routes.at(call_.route))) {
      if (name != part.name) continue;
      Violations none;
      return push_text(L, part.pairs, part.schema, none, part.unknown);
    }
    return false;
  }
  return true;
}

bool ScriptTask::push_request(lua_State* L, const PluginTable::Route& route) {
  Violations violations;
  lua_createtable(L, 0, 2);
  request_address_ = lua_topointer(L, -1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, engine_.request_metatable_);
  lua_setmetatable(L, -2);
  for (const TextPart& part : text_parts(call_, route)) {
    if (!part.checked()) continue;
    const std::size_t first = violations.size();
    lua_pushstring(L, part.name);
    if (push_text(L, part.pairs, part.schema, violations, part.unknown)) {
      lua_rawset(L, -3);
    } else {
      lua_pop(L, 1);
    }
    place(violations, first, part.name);
  }
  if (!push_body(L, route, violations)) return false;
  if (violations.empty()) return true;
  refused_http_ = problem(422, "the request does not fit", errors_json(violations));
  return false;
}

// The body by its media type. False when the request is answered 400 or 415.
bool ScriptTask::push_body(lua_State* L, const PluginTable::Route& route, Violations& violations) {
  if (route.body.empty()) return true;
  std::string type = media_type_of(call_.request.headers);
  const std::string& body = call_.request.body;
  if (type.empty()) type = route.body.front().first;
  const auto entry = std::find_if(route.body.begin(), route.body.end(),
                                  [&type](const auto& e) { return e.first == type; });
  if (entry == route.body.end()) {
    std::string accepted;
    for (const auto& e : route.body) accepted += (accepted.empty() ? "" : ", ") + e.first;
    refused_http_ = problem(415, "this route takes " + accepted);
    return false;
  }
  const Schema* schema = entry->second.get();
  const std::size_t first = violations.size();
  const bool is_json = type == kJson || type.ends_with("+json");
  bool pushed = false;
  if (schema != nullptr && schema->kind() == Schema::Kind::lines) {
    pushed = push_lines(L, body, *schema, violations);
  } else if (body.empty() && schema != nullptr && is_json) {
    if (schema->optional() && !schema->fills_in()) return true;
    if (schema->fills_in()) {
      pushed = push_defaults(L, *schema, violations);
    } else {
      violations.push_back({"", "is missing"});
    }
  } else if (is_json) {
    pushed = push_json(L, body, schema, violations);
    if (!pushed && is_malformed(violations)) {
      place(violations, first, "body");
      refused_http_ = problem(400, to_string(violations));
      return false;
    }
  } else if (schema != nullptr) {
    pushed = push_text_value(L, body, *schema, violations);
  } else {
    lua_pushlstring(L, body.data(), body.size());
    pushed = true;
  }
  if (pushed) lua_setfield(L, -2, "body");
  place(violations, first, "body");
  return true;
}

}  // namespace host::script
