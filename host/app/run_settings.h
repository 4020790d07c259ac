#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/app/deployment.h"
#include "host/app/options.h"
#include "host/app/servers.h"

namespace host::app {

/// All that a running host was told: defaults, below the deployment file, below the options.
struct RunSettings {
  std::filesystem::path data = "./data";
  std::filesystem::path root;
  std::string listen = "127.0.0.1:8080";
  std::optional<std::string> admin = "127.0.0.1:8081";  // nothing: none
  std::optional<tokens::Settings> auth;  // nothing: every role is granted, on loopback alone
  ListenerSettings listeners;
  std::optional<Servers> servers;  // nothing: log and store are in `data`
  std::string prefix;
  PartitionNumber partitions = 16;
  int lanes = 1;
  Duration stop_timeout = std::chrono::seconds(10);
  std::size_t memory = 128u << 20;  // bytes of each Lua state
  bool skip_gaps = false;
  std::map<std::string, Retention> topics;
  std::vector<Deployment::Plugin> plugins;  // files as they can be opened from here
  std::vector<Assignment> sets;
};

/// Puts it together. The Exit names what is wrong with the call or its files. Needs a Watchdog in
/// the process when there is a deployment file or one of --auth.
std::variant<RunSettings, Exit> make_run_settings(const Options& options);

/// What the process says when it cannot run for `error`.
Exit cannot_run(const Error& error);

/// The nearest folder above `file` that has scripts/scenarios or scripts/policies, else the working
/// directory.
std::filesystem::path find_root(const std::filesystem::path& file);
/// Threads that the cgroup's quota and the affinity of the process allow; at least 1.
int usable_cpus();

}  // namespace host::app
