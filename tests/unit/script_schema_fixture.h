#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "bindings/modules.h"
#include "host/script/loader.h"
#include "host/script/lua_state.h"
#include "host/script/sandbox.h"
#include "host/script/schema.h"
#include "host/script/values.h"

namespace host::test {

using namespace host::script;

/// A sandbox with the host's modules as globals (spec, list, money, time, hash, sql, host) and its
/// own vocabulary: run Lua, decode JSON into the global-like slot `it`, encode what a chunk
/// returns.
class Values {
 public:
  Values() {
    auto made = LuaState::make({});
    REQUIRE(made.ok());
    state_ = std::move(*made);
    protect([](lua_State* L) { open_values(L); });
    REQUIRE(open_sandbox(*state_).ok());
    protect([](lua_State* L) {
      for (const NativeModule& module : bindings::modules()) {
        const std::string name = module.name;
        lua_pushstring(L, name.substr(name.rfind('.') + 1).c_str());
        lua_pushcfunction(L, module.open);
        lua_pushvalue(L, LUA_GLOBALSINDEX);
        lua_setfenv(L, -2);
        lua_call(L, 0, 1);
        lua_rawset(L, LUA_GLOBALSINDEX);
      }
    });
  }

  lua_State* L() { return state_->get(); }

  template <class F>
  void protect(F f) {
    const Result<void> done = state_->protect(f);
    INFO((done ? "" : done.error().to_string()));
    REQUIRE(done.ok());
  }

  /// What the chunk returns, as text; an error is "error: ...", with its place.
  std::string run(const std::string& code) {
    std::string out;
    const Result<void> done = state_->protect([&](lua_State* inner) {
      call(inner, code);
      push_text_of(inner, -1);
      out = lua_tostring(inner, -1);
    });
    return done ? out : "error: " + done.error().to_string();
  }
  std::string error(const std::string& code) {
    const std::string out = run(code);
    INFO(out);
    CHECK(out.starts_with("error: "));
    return out;
  }

  /// The schema that an expression makes.
  SchemaPtr schema(const std::string& expression) {
    SchemaPtr out;
    protect([&](lua_State* inner) {
      call(inner, "return " + expression);
      out = to_schema(inner, -1);
    });
    REQUIRE(out);
    return out;
  }

  /// JSON of what the chunk returns, or "at: message; ..." of the violations.
  std::string encode(const std::string& code, const Schema* schema = nullptr) {
    std::string out;
    protect([&](lua_State* inner) {
      call(inner, code);
      Violations violations;
      if (!append_json(inner, -1, schema, out, violations)) out = to_string(violations);
    });
    return out;
  }
  std::string encode(const std::string& code, const SchemaPtr& schema) {
    return encode(code, schema.get());
  }

  /// JSON -> Lua -> JSON; violations of the first step as text.
  std::string through(const std::string& json, const Schema* schema = nullptr,
                      UnknownFields unknown = UnknownFields::drop) {
    std::string out;
    protect([&](lua_State* inner) {
      const int top = lua_gettop(inner);
      Violations violations;
      if (!push_json(inner, json, schema, violations, unknown)) {
        REQUIRE(lua_gettop(inner) == top);
        REQUIRE(!violations.empty());
        out = to_string(violations);
        return;
      }
      REQUIRE(lua_gettop(inner) == top + 1);
      if (!append_json(inner, -1, schema, out, violations)) {
        out = "encode: " + to_string(violations);
      }
    });
    return out;
  }
  std::string through(const std::string& json, const SchemaPtr& schema,
                      UnknownFields unknown = UnknownFields::drop) {
    return through(json, schema.get(), unknown);
  }

  /// Decodes JSON, then runs `return function(it) ... end` on it.
  std::string with(const std::string& json, const SchemaPtr& schema, const std::string& body) {
    std::string out;
    const Result<void> done = state_->protect([&](lua_State* inner) {
      call(inner, "return function(it) " + body + " end");
      Violations violations;
      if (!push_json(inner, json, schema.get(), violations)) {
        out = to_string(violations);
        return;
      }
      lua_call(inner, 1, 1);
      push_text_of(inner, -1);
      out = lua_tostring(inner, -1);
    });
    return done ? out : "error: " + done.error().message;
  }

 private:
  static void call(lua_State* L, const std::string& code) {
    if (luaL_loadbuffer(L, code.data(), code.size(), "@test.lua") != 0) lua_error(L);
    lua_call(L, 0, 1);
  }

  std::unique_ptr<LuaState> state_;
};

}  // namespace host::test
