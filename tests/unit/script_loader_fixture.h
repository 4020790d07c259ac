#pragma once

#include <algorithm>

#include "tests/unit/script_schema_fixture.h"

namespace host::test {

/// Loads a plugin from texts in memory. `problems()` are lines "line: message (hint)".
class Plugin {
 public:
  explicit Plugin(const std::string& source) { file("plugins/p.lua", source); }

  Plugin& file(const std::string& path, const std::string& text) {
    request.files.emplace_back(path, text);
    return *this;
  }

  void load() {
    auto made = LuaState::make({.memory_cap = 64u << 20, .jit = false});
    REQUIRE(made.ok());
    state = std::move(*made);
    REQUIRE(state->protect([](lua_State* L) { open_values(L); }).ok());
    REQUIRE(open_sandbox(*state).ok());
    if (request.file.empty()) request.file = "plugins/p.lua";
    auto result = load_plugin(state->get(), bindings::modules(), request);
    if (auto* loaded = std::get_if<PluginTable>(&result)) table = std::move(*loaded);
    if (auto* found = std::get_if<Problems>(&result)) problems = std::move(*found);
  }

  PluginTable& loaded() {
    load();
    for (const Problem& problem : problems) UNSCOPED_INFO(problem.to_string());
    REQUIRE(problems.empty());
    return table;
  }

  /// All problems, sorted by place: "p.lua:3: message (hint)".
  std::vector<std::string> refused() {
    load();
    std::vector<std::string> out;
    for (const Problem& problem : problems) {
      const std::string text = problem.to_string();
      out.push_back(text.substr(problem.file.rfind('/') + 1));
    }
    return out;
  }

  LoadRequest request;
  std::unique_ptr<LuaState> state;
  PluginTable table;
  Problems problems;
};

}  // namespace host::test
