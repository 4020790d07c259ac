// Routes: their handler's call, and what it answers.
#include <algorithm>
#include <cmath>

#include "host/script/sandbox.h"
#include "host/script/task.h"
#include "host/script/values.h"

namespace host::script {
namespace {

constexpr std::size_t kUsualBody = 256;  // bytes of an answer: most have no more

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
  json.reserve(kUsualBody);
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
