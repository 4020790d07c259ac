#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "host/core/manifest.h"
#include "host/script/plugin_table.h"

struct lua_State;

namespace host::script {

/// One Lua module that the host itself provides. `open` pushes the module's value; may raise.
struct NativeModule {
  const char* name;  // "host.spec"
  int (*open)(lua_State* L);
};
using NativeModules = std::vector<NativeModule>;  // bindings/modules.h lists them

/// A setting from outside the script: JSON (deployment file) or text (--set, environment).
struct Setting {
  std::string text;
  bool is_json = false;
  bool from_command_line = false;  // secrets are refused from there
};

struct LoadRequest {
  std::string file;  // as given on the command line; messages name it so
  std::string root;  // scenarios.* and policies.* are under ROOT/scripts; "" = working directory
  std::map<std::string, Setting> config;        // field -> value
  std::map<std::string, std::string> policies;  // name -> chosen module, last name or whole path
  std::map<std::string, std::map<std::string, Setting>> policy_config;  // name -> field -> value
  /// `host check` without a deployment: settings that have no value are no problems.
  bool without_settings = false;
  /// When given, sources come from here (path -> text) and the disk is never read: every lane
  /// loads the bytes that were checked.
  std::vector<std::pair<std::string, std::string>> files;
};

/// Loads a plugin and all that it requires into `L` and reads the table that it returns. `L` is the
/// main thread of a LuaState; it has open_values() and open_sandbox() behind it, so its globals are
/// the environment of scripts, which gets `require`. Reports ALL problems at once. Never raises;
/// the caller bounds time and memory. After it, `require` only finds what is already loaded.
/// `read`, when given, gets what was read (path, text; the plugin first), also of a failed one.
using LoadedFiles = std::vector<std::pair<std::string, std::string>>;
std::variant<PluginTable, Problems> load_plugin(lua_State* L, const NativeModules& modules,
                                                const LoadRequest& request,
                                                LoadedFiles* read = nullptr);

}  // namespace host::script
