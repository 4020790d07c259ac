#include "bindings/test.h"

#include <lua.hpp>
#include <stdexcept>

#include "bindings/module_table.h"
#include "bindings/test_driver.h"
#include "host/script/lua_state.h"
#include "host/script/values.h"

extern "C" const char host_embedded_test[];
extern "C" const char host_embedded_test_end[];

namespace host::bindings {
namespace {

TestDriver& driver_of(lua_State* L) {
  return *static_cast<TestDriver*>(lua_touserdata(L, lua_upvalueindex(1)));
}

/// Misuse of the test's author: script::guarded() raises it with the test's line.
template <class T>
T need(Result<T> result) {
  if (!result) throw std::invalid_argument(result.error().to_string());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string need_string(lua_State* L, int index, const char* what) {
  if (lua_type(L, index) != LUA_TSTRING) {
    throw std::invalid_argument(std::string(what) + " must be text, not " +
                                luaL_typename(L, index));
  }
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

std::string encode(lua_State* L, int index) {
  std::string json;
  script::Violations violations;
  if (!script::append_json(L, index, nullptr, json, violations)) {
    throw std::invalid_argument(script::to_string(violations));
  }
  return json;
}

void push_decoded(lua_State* L, const std::string& json, const script::Schema* schema) {
  script::Violations violations;
  if (script::push_json(L, json, schema, violations)) return;
  throw std::invalid_argument(script::to_string(violations));
}

void push_field(lua_State* L, const char* name, const std::string& text) {
  lua_pushlstring(L, text.data(), text.size());
  lua_setfield(L, -2, name);
}

void push_state(lua_State* L, const TestDriver::State& state) {
  if (state.json) {
    push_decoded(L, *state.json, state.schema.get());
  } else {
    lua_pushnil(L);
  }
}

void push_sent(lua_State* L, const std::vector<TestDriver::Sent>& sent) {
  lua_createtable(L, static_cast<int>(sent.size()), 0);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    lua_createtable(L, 0, 3);
    push_field(L, "topic", sent[i].topic);
    if (sent[i].key) push_field(L, "key", *sent[i].key);
    push_decoded(L, sent[i].payload, nullptr);
    lua_setfield(L, -2, "payload");
    lua_rawseti(L, -2, static_cast<int>(i + 1));
  }
}

int send(lua_State* L) {
  const std::string topic = need_string(L, 1, "the topic");
  std::optional<std::string> key;
  if (!lua_isnil(L, 2)) key = need_string(L, 2, "the key");
  const TestDriver::Handled handled = need(driver_of(L).send(topic, std::move(key), encode(L, 3)));
  lua_createtable(L, 0, 3);
  push_state(L, handled.state);
  lua_setfield(L, -2, "state");
  push_sent(L, handled.sent);
  lua_setfield(L, -2, "sent");
  if (handled.reply) {
    push_decoded(L, *handled.reply, nullptr);
    lua_setfield(L, -2, "reply");
  }
  return 1;
}

void read_headers(lua_State* L, TestDriver::Request& request) {
  lua_getfield(L, 2, "headers");
  if (lua_istable(L, -1)) {
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      request.headers.emplace_back(need_string(L, -2, "a header's name"),
                                   need_string(L, -1, "a header's value"));
    }
  }
  lua_pop(L, 1);
}

/// user = { id = "ada", roles = { "player" } }, or false: a request without a token.
void read_user(lua_State* L, TestDriver::Request& request) {
  lua_getfield(L, 2, "user");
  if (lua_istable(L, -1)) {
    User& user = request.user.emplace();
    lua_getfield(L, -1, "id");
    user.subject = need_string(L, -1, "the user's id");
    lua_pop(L, 1);
    lua_getfield(L, -1, "roles");
    const int roles = lua_gettop(L);
    for (int i = 1; lua_istable(L, roles) && i <= static_cast<int>(lua_objlen(L, roles)); ++i) {
      lua_rawgeti(L, roles, i);
      user.roles.push_back(need_string(L, -1, "a role"));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  } else if (lua_isboolean(L, -1) && lua_toboolean(L, -1) == 0) {
    request.user.emplace();
  } else if (!lua_isnil(L, -1)) {
    throw std::invalid_argument("a request's user is { id, roles }, or false for nobody");
  }
  lua_pop(L, 1);
}

void read_body(lua_State* L, TestDriver::Request& request) {
  lua_getfield(L, 2, "body");
  if (lua_type(L, -1) == LUA_TSTRING) {
    request.body = need_string(L, -1, "the body");
    request.media_type = "text/plain";
  } else if (!lua_isnil(L, -1)) {
    request.body = encode(L, -1);
  }
  lua_pop(L, 1);
  lua_getfield(L, 2, "type");
  if (!lua_isnil(L, -1)) request.media_type = need_string(L, -1, "the type");
  lua_pop(L, 1);
}

bool is_json(const HttpResponse& response) {
  const std::string* type = find_header(response.headers, "content-type");
  return type != nullptr && type->find("json") != std::string::npos;
}

int request(lua_State* L) {
  const std::string route = need_string(L, 1, "the route");
  const std::size_t space = route.find(' ');
  if (space == std::string::npos) {
    throw std::invalid_argument("a request is a method and a path, like \"GET /walls\"");
  }
  TestDriver::Request request;
  request.method = route.substr(0, space);
  request.target = route.substr(space + 1);
  read_user(L, request);
  read_headers(L, request);
  read_body(L, request);
  const HttpResponse response = need(driver_of(L).request(std::move(request)));
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, response.status);
  lua_setfield(L, -2, "status");
  if (!response.body.empty()) {
    if (is_json(response)) {
      push_decoded(L, response.body, nullptr);
    } else {
      lua_pushlstring(L, response.body.data(), response.body.size());
    }
    lua_setfield(L, -2, "body");
  }
  lua_createtable(L, 0, static_cast<int>(response.headers.size()));
  for (const auto& [name, value] : response.headers) push_field(L, name.c_str(), value);
  lua_setfield(L, -2, "headers");
  return 1;
}

int advance(lua_State* L) {
  need(driver_of(L).advance(need(script::to_duration(L, 1))));
  return 0;
}

int run(lua_State* L) {
  const Duration most = lua_isnoneornil(L, 1) ? Duration::zero() : need(script::to_duration(L, 1));
  need(driver_of(L).run(most));
  return 0;
}

int state(lua_State* L) {
  push_state(
      L, need(driver_of(L).state(need_string(L, 1, "the plugin"), need_string(L, 2, "the key"))));
  return 1;
}

int sent(lua_State* L) {
  const std::string topic = lua_isnoneornil(L, 1) ? "" : need_string(L, 1, "the topic");
  push_sent(L, need(driver_of(L).sent(topic)));
  return 1;
}

constexpr struct {
  const char* name;
  lua_CFunction function;
} kFunctions[] = {
    {"send", script::guarded<send>},       {"request", script::guarded<request>},
    {"advance", script::guarded<advance>}, {"run", script::guarded<run>},
    {"state", script::guarded<state>},     {"sent", script::guarded<sent>},
};

int open(lua_State* L) {
  void* driver = lua_touserdata(L, 1);
  const int base = lua_gettop(L);
  lua_createtable(L, 0, static_cast<int>(std::size(kFunctions)));
  for (const auto& entry : kFunctions) {
    lua_pushlightuserdata(L, driver);
    lua_pushcclosure(L, entry.function, 1);
    lua_setfield(L, -2, entry.name);
  }
  run_embedded(L, host_embedded_test, host_embedded_test_end, base);
  return 1;
}

}  // namespace

void push_test(lua_State* L, TestDriver& driver) {
  // As a C function's call, so that the embedded code sees the libraries that scripts see.
  lua_pushcfunction(L, open);
  lua_pushlightuserdata(L, &driver);
  lua_call(L, 1, 1);
}

}  // namespace host::bindings
