#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/app/run_settings.h"
#include "host/runtime/reloader.h"
#include "host/script/loader.h"

namespace host::app {

/// Loads plugins with the settings that concern them: the deployment file's by the plugin's file,
/// those of --set and HOST_SET__ by the plugin's name, which only the loaded plugin tells.
/// Only on the control thread.
class Scripts {
 public:
  using Load = std::function<runtime::Loaded(const script::LoadRequest&)>;

  Scripts(const RunSettings& settings, Load load);

  runtime::Loaded load(const std::string& file);
  /// With the settings of the name that the plugin had when it was loaded.
  script::LoadRequest request(const std::string& file) const;
  /// Settings whose plugin was never loaded: the caller meant another.
  std::vector<std::string> unused() const;

 private:
  std::string name_of(const std::string& file) const;
  script::LoadRequest request(const std::string& file, const std::string& plugin) const;

  const RunSettings& settings_;
  const Load load_;
  std::set<std::string> loaded_;              // names of plugins
  std::map<std::string, std::string> names_;  // file -> the name it had
};

}  // namespace host::app
