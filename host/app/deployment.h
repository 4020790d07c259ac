#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/app/auth_settings.h"
#include "host/app/listener_settings.h"
#include "host/base/time.h"
#include "host/core/ids.h"
#include "host/core/manifest.h"
#include "host/script/loader.h"

namespace host::app {

struct Retention {
  Duration keep = std::chrono::hours(24 * 7);  // kForever: never by age
  std::uint64_t max_bytes = 0;                 // 0: never by size
};

/// What a deployment file says. Values of settings are resolved ("env:NAME", "file:PATH").
struct Deployment {
  struct Plugin {
    std::string file;  // relative to the root
    std::map<std::string, script::Setting> config;
    std::map<std::string, std::string> policies;
    std::map<std::string, std::map<std::string, script::Setting>> policy_config;
  };

  std::optional<std::string> listen;
  std::optional<std::string> admin;
  std::optional<std::string> log, store;  // URLs; "embedded" is one
  std::optional<std::string> prefix;
  std::optional<PartitionNumber> partitions;
  std::map<std::string, Retention> topics;
  std::optional<tokens::Settings> auth;
  ListenerSettings listeners;
  std::vector<Plugin> plugins;
};

/// Reads a deployment file; all problems at once. `root`: what "file:PATH" is relative to.
struct DeploymentResult {
  Deployment deployment;
  Problems problems;
};
DeploymentResult read_deployment(const std::string& file, const std::string& text,
                                 const std::string& root);

}  // namespace host::app
