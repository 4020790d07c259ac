#pragma once

#include <cstdint>
#include <initializer_list>
#include <lua.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/core/manifest.h"
#include "host/script/loader_require.h"
#include "host/script/manifest_lines.h"
#include "host/script/plugin_table.h"

namespace host::script {

/// Reads the table that a plugin returned: checks everything, keeps going after a problem, so that
/// an author sees all of them at once. Each part of the manifest has its own source file
/// (manifest_*.cc). A function that reads leaves the stack as it found it.
/// May raise for want of memory alone; lives inside one protected call.
class ManifestReader {
 public:
  using Path = SourceLines::Path;

  ManifestReader(lua_State* L, const LoadRequest& request, Requirer& requirer,
                 const Sources& sources, const SourceLines& lines, PluginTable& out,
                 Problems& problems)
      : L_(L),
        request_(request),
        requirer_(requirer),
        sources_(sources),
        lines_(lines),
        out_(out),
        problems_(problems) {}

  /// The returned table is at `index`.
  void read(int index);

 private:
  // Helpers (manifest_reader.cc). `at` names the place of a value: {"on", "topic", "key"}.
  void problem(const Path& at, std::string message, std::string hint = {});
  void problem_of_function(int index, const Path& at, std::string message, std::string hint = {});
  /// Names of a table's text keys in byte order; other keys are problems unless allowed.
  std::vector<std::string> names(int index, const Path& at, bool allow_items = false);
  void only_fields(int index, const Path& at, std::initializer_list<std::string_view> known,
                   bool allow_items = false);
  bool need_table(int index, const Path& at, const char* what);
  /// Pushes the field; false (and nothing pushed) when it is nil.
  bool get(int index, const char* name);
  std::optional<std::string> text(int index, const char* name, const Path& at);
  std::optional<bool> flag(int index, const char* name, const Path& at);
  std::optional<Duration> duration(int index, const char* name, const Path& at);
  SchemaPtr schema(int index, const char* name, const Path& at);
  SchemaPtr schema_at(int index, const Path& at);
  SchemaPtr record(int index, const char* name, const Path& at);
  LuaRef function(int index, const char* name, const Path& at);
  LuaRef keep(int index);
  bool identifier(const std::string& name, const Path& at, const char* what);
  void not_in_this_version(int index, std::initializer_list<const char*> fields, const Path& at);

  // manifest_plugin.cc
  void head(int index);
  void uses(int index, std::vector<std::string>& uses, const Path& at);
  void emits(int index);
  bool topic(const std::string& name, const Path& at, bool wildcard);
  void state(int index);
  void migrate(int index);
  void metrics(int index);
  void metric(const std::string& name, int index, const Path& at);
  void tables(int index);
  void smoke(int index);
  void rebuild(int index);

  // manifest_handlers.cc
  void on(int index);
  void subscription(const std::string& topic, int index, const Path& at);
  void timers(int index);
  void every(int index);
  PluginTable::Handler handler(int index, const SchemaPtr& schema, const Path& at);
  PluginTable::Handler handlers_by_tag(int index, const Schema& schema, const Path& at);
  RetryRule retry(int index, const Path& at);
  void backoff(const std::string& text, RetryRule& rule, const Path& at);
  void need_text_field(const Schema* schema, const std::string& field, const Path& at);

  // manifest_routes.cc
  void routes(int index);
  void route(const std::string& name, int index, const Path& at);
  void auth(int index, Manifest::Route& route, const Path& at);
  void stream(int index, Manifest::Route& route, PluginTable::Route& table, const Path& at);
  void body(int index, Manifest::Route& route, PluginTable::Route& table, const Path& at);
  SchemaPtr params(int index, const std::vector<std::string>& in_path, const Path& at);
  void same_routes();

  // manifest_files.cc
  void files(int index, Manifest::Route& route, const Path& at);
  void cache(int index, Manifest::Route& route, const Path& at);
  // manifest_limit.cc
  void limit(int index, Manifest::Route& route, const Path& at);
  std::optional<std::int64_t> count(int index, const char* name, const Path& at);

  // manifest_config.cc
  void config(int index);
  void policies(int index);
  void policy(const std::string& name, int index, const Path& at);
  void policy_module(PluginTable::Policy::Choice& choice, const std::string& policy, bool chosen,
                     const Path& at);
  void policy_config(PluginTable::Policy::Choice& choice, const std::string& policy, int module,
                     const Path& at);
  /// Pushes a table of settings: given values, else defaults. Always pushes one.
  void push_settings(const Schema& schema, const std::map<std::string, Setting>& given,
                     const std::string& prefix, const Path& at);
  bool push_setting(const Schema& schema, const Setting& setting, const std::string& name,
                    const Path& at);

  // manifest_calls.cc: literals in the plugin's own file
  void calls();

  lua_State* const L_;
  const LoadRequest& request_;
  Requirer& requirer_;
  const Sources& sources_;
  const SourceLines& lines_;
  PluginTable& out_;
  Problems& problems_;
};

/// path + name.
SourceLines::Path operator/(SourceLines::Path path, std::string name);
/// "on["wall.orders"].key", for messages.
std::string to_string(const SourceLines::Path& path);

}  // namespace host::script
