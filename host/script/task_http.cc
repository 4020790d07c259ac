// Requests and answers of routes.
#include <algorithm>
#include <cmath>

#include "host/script/sandbox.h"
#include "host/script/task.h"
#include "host/script/values.h"

namespace host::script {
namespace {

constexpr const char* kJson = "application/json";

std::string media_type_of(const Headers& headers) {
  const std::string* value = find_header(headers, "content-type");
  if (value == nullptr) return "";
  std::string type = value->substr(0, value->find(';'));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
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

int status_of(const std::string& code) {
  if (code == "not_found") return 404;
  if (code == "rate_limited") return 429;
  if (code == "unavailable" || code == "budget") return 503;
  if (code == "timeout") return 504;
  return 500;
}

/// Seconds as a header says them; nothing when they make no sense there.
std::optional<std::string> seconds_text(double seconds) {
  constexpr double kMost = 1e9;
  if (!(seconds >= 0 && seconds <= kMost)) return std::nullopt;
  return std::to_string(static_cast<long>(std::ceil(seconds)));
}

bool is_reserved(const std::string& name) {
  return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
         name == "date";
}

std::string text_at(lua_State* L, int index) {
  push_text_of(L, index);
  std::size_t size = 0;
  const char* begin = lua_tolstring(L, -1, &size);
  std::string text(begin, size);
  lua_pop(L, 1);
  return text;
}

bool read_headers(lua_State* L, int index, Headers& headers, std::string& problem) {
  if (lua_isnil(L, index)) return true;
  if (lua_type(L, index) != LUA_TTABLE) {
    problem = std::string("the headers that were returned are a ") + luaL_typename(L, index) +
              ", not a table";
    return false;
  }
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      problem = "a header's name is a text";
      return false;
    }
    std::string name = lua_tostring(L, -2);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return c == '_' ? '-' : static_cast<char>(std::tolower(c));
    });
    const std::string value = text_at(L, lua_gettop(L));
    if (is_reserved(name) || name.find_first_of("\r\n: ") != std::string::npos ||
        value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      problem = "the header '" + name + "' cannot be returned";
      return false;
    }
    set_header(headers, name, value);
  }
  return true;
}

}  // namespace

int ScriptTask::push_http(lua_State* L) {
  const PluginTable::Route& route = engine_.table().routes.at(call_.route);
  if (call_.kind == ports::Call::Kind::check) {
    if (push_request(L, route)) refused_http_ = HttpResponse{};
    return -1;
  }
  if (route.handle == kNoRef) raise(L, "this route has no handler");
  handler_ = route.handle;
  lua_rawgeti(L, LUA_REGISTRYINDEX, handler_);
  lua_rawgeti(L, LUA_REGISTRYINDEX, engine_.ctx_);
  return push_request(L, route) ? 3 : -1;
}

bool ScriptTask::push_request(lua_State* L, const PluginTable::Route& route) {
  Violations violations;
  lua_createtable(L, 0, 8);
  const auto part = [&](const char* name, const TextPairs& pairs, const SchemaPtr& schema,
                        UnknownFields unknown) {
    const std::size_t first = violations.size();
    if (push_text(L, pairs, schema.get(), violations, unknown)) lua_setfield(L, -2, name);
    place(violations, first, name);
  };
  part("params", call_.params, route.params, UnknownFields::keep);
  part("query", call_.request.query, route.query,
       route.query ? UnknownFields::drop : UnknownFields::keep);
  part("headers", call_.request.headers, route.headers, UnknownFields::keep);
  if (!push_body(L, route, violations)) return false;
  if (!violations.empty()) {
    refused_http_ = problem(422, "the request does not fit", errors_json(violations));
    return false;
  }
  if (!call_.user.empty()) {
    lua_createtable(L, 0, 2);
    lua_pushlstring(L, call_.user.data(), call_.user.size());
    lua_setfield(L, -2, "id");
    lua_createtable(L, static_cast<int>(call_.roles.size()), 0);
    for (std::size_t i = 0; i < call_.roles.size(); ++i) {
      lua_pushlstring(L, call_.roles[i].data(), call_.roles[i].size());
      lua_rawseti(L, -2, static_cast<int>(i) + 1);
    }
    lua_setfield(L, -2, "roles");
    lua_setfield(L, -2, "user");
  }
  lua_pushlstring(L, call_.request.address.data(), call_.request.address.size());
  lua_setfield(L, -2, "address");
  lua_pushcfunction(L, guarded<req_invalid>);
  lua_setfield(L, -2, "invalid");
  return true;
}

// The body by its media type. False when the request is answered 400 or 415.
bool ScriptTask::push_body(lua_State* L, const PluginTable::Route& route, Violations& violations) {
  std::string type = media_type_of(call_.request.headers);
  lua_pushlstring(L, type.data(), type.size());
  lua_setfield(L, -2, "type");
  if (route.body.empty()) return true;
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

void ScriptTask::finish_http(lua_State* L, HttpResponse& response, std::string& problem) {
  if (refused_http_) {
    response = std::move(*refused_http_);
    return;
  }
  lua_settop(coroutine_.L, 3);
  luaL_checkstack(L, 10, "answer");
  lua_xmove(coroutine_.L, L, 3);
  const int body = lua_gettop(L) - 1;
  const int status_at = body - 1;
  if (lua_isnil(L, status_at) && lua_type(L, body) == LUA_TTABLE) {
    lua_getfield(L, body, "code");
    lua_getfield(L, body, "message");
    lua_getfield(L, body, "retry_after");
    const char* code = lua_tostring(L, -3);
    const char* message = lua_tostring(L, -2);
    Headers headers;
    if (lua_isnumber(L, -1) != 0) {
      if (auto wait = seconds_text(lua_tonumber(L, -1))) {
        set_header(headers, "retry-after", std::move(*wait));
      }
    }
    const int status = status_of(code != nullptr ? code : "");
    if (status == 503 && headers.empty()) set_header(headers, "retry-after", "1");
    response = host::problem(
        status,
        status == 500 || message == nullptr ? std::string_view{} : std::string_view(message), {},
        std::move(headers));
    return;
  }
  const double number = lua_type(L, status_at) == LUA_TNUMBER ? lua_tonumber(L, status_at) : 0;
  const int status = number >= 200 && number <= 599 ? static_cast<int>(number) : 0;
  if (status == 0 || status != number) {
    problem =
        lua_type(L, status_at) == LUA_TNUMBER
            ? "a handler returns a status from 200 to 599, not " + text_at(L, status_at)
            : std::string("a handler returns status [, body [, headers]] or nil, err, not a ") +
                  luaL_typename(L, status_at);
    return;
  }
  Headers headers;
  if (!read_headers(L, body + 1, headers, problem)) return;
  if (!invalid_.empty() && status == 422 && lua_isnil(L, body)) {
    response = host::problem(422, "the request does not fit", invalid_, std::move(headers));
    return;
  }
  const bool no_content = status == 204 || status == 304;
  if (no_content && !lua_isnil(L, body)) {
    problem = "a status of " + std::to_string(status) + " has no body";
    return;
  }
  switch (lua_type(L, body)) {
    case LUA_TNIL:
      if (status >= 400) {
        response = host::problem(status, {}, {}, std::move(headers));
      } else {
        response = {status, std::move(headers), {}};
      }
      return;
    case LUA_TSTRING: {
      std::string text = text_at(L, body);
      if (status >= 400) {
        response = host::problem(status, text, {}, std::move(headers));
        return;
      }
      if (find_header(headers, "content-type") == nullptr) {
        set_header(headers, "content-type", "text/plain; charset=utf-8");
      }
      response = {status, std::move(headers), std::move(text)};
      return;
    }
    case LUA_TFUNCTION:
      return begin_parts(L, body, status, std::move(headers), response, problem);
    case LUA_TTHREAD:
      problem = "a body cannot be a thread";
      return;
    default:
      break;
  }
  const PluginTable::Route& route = engine_.table().routes.at(call_.route);
  const Schema* schema = status < 300 ? route.returns.get() : nullptr;
  if (schema != nullptr && schema->kind() == Schema::Kind::lines) {
    problem = "`returns` is spec.lines(...), but the body is no iterator";
    return;
  }
  std::string json;
  Violations violations;
  if (!append_json(L, body, schema, json, violations)) {
    problem = "the body that was returned does not fit: " + to_string(violations);
    return;
  }
  response = json_response(status, std::move(json), std::move(headers));
}

void ScriptTask::finish_map(lua_State* L, std::string& mapped, std::string& problem) {
  lua_settop(coroutine_.L, 1);
  lua_xmove(coroutine_.L, L, 1);
  if (lua_isnil(L, -1)) return;
  Violations violations;
  if (!append_json(L, -1, nullptr, mapped, violations)) {
    problem = "what map returned: " + to_string(violations);
  }
}

}  // namespace host::script
