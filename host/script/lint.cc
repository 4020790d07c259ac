#include "host/script/lint.h"

#include <algorithm>
#include <lua.hpp>
#include <memory>

#include "host/script/lua_state.h"
#include "host/script/manifest_pattern.h"
#include "host/script/revision.h"
#include "host/script/schema_check.h"
#include "host/script/watchdog.h"

extern "C" const char host_embedded_lint[];
extern "C" const char host_embedded_lint_end[];

namespace host::script {
namespace {

struct CloseState {
  void operator()(lua_State* L) const { lua_close(L); }
};

Problem syntax_error(lua_State* L, const std::string& path, int status) {
  const Error error = error_from(L, -1, status);
  return {.file = path, .line = error.line, .message = error.message, .hint = {}};
}

Problem undefined(const std::string& path, lua_State* L, const std::vector<std::string>& globals) {
  lua_getfield(L, -1, "name");
  const std::string name = lua_tostring(L, -1);
  lua_getfield(L, -2, "line");
  const int line = static_cast<int>(lua_tointeger(L, -1));
  lua_getfield(L, -3, "write");
  const bool write = lua_toboolean(L, -1) != 0;
  lua_pop(L, 3);
  if (write) {
    return {.file = path,
            .line = line,
            .message = "the global '" + name + "' cannot be set",
            .hint = "write local, or keep it in ctx.state"};
  }
  const std::string near = nearest(name, {globals.begin(), globals.end()});
  return {.file = path,
          .line = line,
          .message = "the global '" + name + "' is not defined",
          .hint = near.empty() ? "" : "did you mean \"" + near + "\"?"};
}

/// Arguments and results of the protected part of lint_source.
struct Lint {
  const std::string& path;
  std::string_view text;
  const std::vector<std::string>& globals;
  Problems problems;
};

int run_lint(lua_State* L) {
  auto& lint = *static_cast<Lint*>(lua_touserdata(L, 1));
  const std::string chunk = "@" + lint.path;
  const auto size = static_cast<std::size_t>(host_embedded_lint_end - host_embedded_lint);
  if (luaL_loadbuffer(L, host_embedded_lint, size, kHostChunk) != 0) lua_error(L);
  // Texts only: foreign bytecode is not even looked at.
  if (const int status =
          luaL_loadbufferx(L, lint.text.data(), lint.text.size(), chunk.c_str(), "t")) {
    lint.problems.push_back(syntax_error(L, lint.path, status));
    return 0;
  }
  lua_createtable(L, 0, static_cast<int>(lint.globals.size()));
  for (const std::string& name : lint.globals) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, name.c_str());
  }
  lua_call(L, 2, 1);
  const int found = lua_gettop(L);
  for (int i = 1; i <= static_cast<int>(lua_objlen(L, found)); ++i) {
    lua_rawgeti(L, found, i);
    lint.problems.push_back(undefined(lint.path, L, lint.globals));
    lua_settop(L, found);
  }
  return 0;
}

/// The names that the sandbox of this state gives to scripts.
std::vector<std::string> globals_of(LuaState& state) {
  std::vector<std::string> out{"require"};
  const Result<void> read = state.protect([&](lua_State* L) {
    for (lua_pushnil(L); lua_next(L, LUA_GLOBALSINDEX); lua_pop(L, 1)) {
      if (lua_type(L, -2) == LUA_TSTRING) out.emplace_back(lua_tostring(L, -2));
    }
  });
  if (!read) out.clear();
  return out;
}

/// One plugin, alone; appends its manifest when it loads.
Problems check_one(const LoadRequest& request, const NativeModules& modules,
                   std::vector<Manifest>& manifests) {
  auto made = make_script_state({.memory_cap = kLoadMemory, .jit = false});
  if (!made) return {{.file = request.file, .message = made.error().message, .hint = {}}};
  LuaState& state = **made;
  const std::vector<std::string> globals = globals_of(state);

  LoadedFiles files;
  auto result = [&] {
    const Turn turn(state, request.file.c_str(), "load", kLoadTime);
    return load_plugin(state.get(), modules, request, &files);
  }();
  Problems problems;
  if (auto* found = std::get_if<Problems>(&result)) problems = std::move(*found);
  if (auto* table = std::get_if<PluginTable>(&result)) manifests.push_back(table->manifest);
  for (const auto& [path, text] : files) {
    for (Problem& problem : lint_source(path, text, globals)) {
      problems.push_back(std::move(problem));
    }
  }
  return problems;
}

/// A global that stopped the loading is found by both; the lint's words stay.
void sort_and_thin(Problems& problems) {
  const auto order = [](const Problem& p) { return std::tie(p.file, p.line, p.message); };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return order(a) < order(b); });
  const auto same = [](const Problem& a, const Problem& b) {
    if (a.file != b.file || a.line != b.line) return false;
    return a.message == b.message || b.message.starts_with(a.message + " (");
  };
  problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
}

}  // namespace

Problems lint_source(const std::string& path, std::string_view text,
                     const std::vector<std::string>& globals) {
  const std::unique_ptr<lua_State, CloseState> state(luaL_newstate());
  if (!state) return {{.file = path, .message = "no memory for a Lua state", .hint = {}}};
  luaL_openlibs(state.get());
  Lint lint{path, text, globals, {}};
  if (const int status = lua_cpcall(state.get(), run_lint, &lint)) {
    lint.problems.push_back(syntax_error(state.get(), path, status));
  }
  return std::move(lint.problems);
}

Problems check_together(const std::vector<const Manifest*>& plugins) {
  Problems problems;
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    const Manifest& mine = *plugins[i];
    for (std::size_t j = 0; j < i; ++j) {
      const Manifest& other = *plugins[j];
      if (mine.name == other.name) {
        problems.push_back({.file = mine.file,
                            .message = "the name \"" + mine.name + "\" is that of " + other.file,
                            .hint = "names of plugins are unique"});
      }
      for (const Manifest::Route& a : mine.routes) {
        for (const Manifest::Route& b : other.routes) {
          if (a.method != b.method || route_shape(a.pattern) != route_shape(b.pattern)) continue;
          problems.push_back({.file = mine.file,
                              .message = "the route \"" + a.name() +
                                         "\" matches the same requests as \"" + b.name() +
                                         "\" of " + other.file,
                              .hint = {}});
        }
      }
    }
  }
  return problems;
}

Problems check_plugins(const std::vector<LoadRequest>& plugins, const NativeModules& modules) {
  Problems problems;
  std::vector<Manifest> manifests;
  for (const LoadRequest& request : plugins) {
    for (Problem& problem : check_one(request, modules, manifests)) {
      problems.push_back(std::move(problem));
    }
  }
  std::vector<const Manifest*> together;
  for (const Manifest& manifest : manifests) together.push_back(&manifest);
  for (Problem& problem : check_together(together)) problems.push_back(std::move(problem));
  sort_and_thin(problems);
  return problems;
}

}  // namespace host::script
