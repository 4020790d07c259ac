#include "host/script/loader.h"

#include <algorithm>
#include <lua.hpp>

#include "host/script/loader_require.h"
#include "host/script/loader_sources.h"
#include "host/script/lua_state.h"
#include "host/script/manifest_reader.h"
#include "host/script/schema_check.h"
#include "host/script/values.h"

namespace host::script {
namespace {

/// Lua shortens long chunk names to "...end/of/path.lua"; this gives the whole path back.
std::string whole_path(const std::string& file, const Sources& sources) {
  if (!file.starts_with("...")) return file;
  for (const auto& [path, text] : sources.files()) {
    if (path.ends_with(std::string_view(file).substr(3))) return path;
  }
  return file;
}

Problem problem_of(const Error& error, const Sources& sources, const std::string& plugin) {
  return {.file = error.line > 0 ? whole_path(error.file, sources) : plugin,
          .line = error.line,
          .message = error.message,
          .hint = error.hint};
}

/// Runs the plugin's file and reads its table. May raise.
void load(lua_State* L, const LoadRequest& request, Requirer& requirer, Sources& sources,
          const Sources::Found& plugin, PluginTable& out, Problems& problems) {
  requirer.run(L, plugin, "");
  const auto files = sources.files();
  const SourceLines lines(files);
  if (!lua_istable(L, -1)) {
    const int type = lua_type(L, -1);
    problems.push_back({.file = request.file,
                        .line = 0,
                        .message = "a plugin returns a table, this file returns " +
                                   std::string(type == LUA_TNIL ? "nothing" : luaL_typename(L, -1)),
                        .hint = "return { api = 1, name = \"...\" }"});
    return;
  }
  ManifestReader(L, request, requirer, sources, lines, out, problems).read(lua_gettop(L));
}

}  // namespace

std::variant<PluginTable, Problems> load_plugin(lua_State* L, const NativeModules& modules,
                                                const LoadRequest& request, LoadedFiles* read) {
  LuaState& state = LuaState::of(L);
  Sources sources(request);
  Requirer requirer(modules, sources);
  PluginTable out;
  Problems problems;
  const auto plugin = sources.read_plugin();
  if (!plugin) {
    return Problems{
        {.file = request.file, .line = 0, .message = plugin.error().message, .hint = {}}};
  }
  const Result<void> loaded = state.protect([&](lua_State* inner) {
    requirer.open(inner);
    load(inner, request, requirer, sources, *plugin, out, problems);
  });
  requirer.close();
  if (read) *read = sources.files();
  if (!loaded) problems.push_back(problem_of(loaded.error(), sources, request.file));
  for (Problem& problem : problems) problem.file = whole_path(problem.file, sources);
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.file, a.line) < std::pair(b.file, b.line);
  });
  if (!problems.empty()) return problems;
  out.files = sources.files();
  out.manifest.file = request.file;
  out.manifest.revision = sources.revision();
  for (const auto& [path, text] : out.files) out.manifest.sources.push_back(path);
  return out;
}

}  // namespace host::script
