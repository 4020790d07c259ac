#include "host/app/run_settings.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "host/adapters/files/read_file.h"

namespace host::app {
namespace {

namespace fs = std::filesystem;

Exit usage(const std::string& text) { return {kUsage, "host: " + text + "\n"}; }

/// The quota of a cgroup of either version, in CPUs; nothing: unlimited, or not readable.
std::optional<double> quota_of(const fs::path& folder) {
  double quota = 0;
  double period = 0;
  if (std::ifstream in(folder / "cpu.max"); in >> quota >> period) return quota / period;
  std::ifstream quota_file(folder / "cpu.cfs_quota_us");
  std::ifstream period_file(folder / "cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) {
    return quota / period;
  }
  return std::nullopt;
}

/// The smallest quota on the way from our cgroup to the root of the hierarchy.
std::optional<double> cgroup_quota() {
  std::optional<double> least;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers.find("cpu") == std::string::npos) continue;
    const fs::path top = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    for (;; group = group.parent_path()) {
      const std::optional<double> quota = quota_of(top / group);
      if (quota && (!least || *quota < *least)) least = quota;
      if (group.empty()) break;
    }
  }
  return least;
}

Exit usage_of(const Problems& problems) {
  Exit exit{kUsage, {}};
  for (const Problem& problem : problems) exit.text += problem.to_string() + "\n";
  return exit;
}

std::optional<Exit> read_auth_into(RunSettings& settings, const std::string& file) {
  Result<std::string> text = files::read_file(file);
  if (!text) return Exit{kCannotRun, "host: --auth: " + text.error().to_string() + "\n"};
  AuthResult read = read_auth_file(file, *text, settings.root.string());
  if (!read.problems.empty()) return usage_of(read.problems);
  settings.auth = std::move(read.auth);
  return std::nullopt;
}

/// Where log and store are, as somebody said it.
struct Urls {
  std::optional<std::string> log, store;
};

std::optional<Exit> read_deployment_into(RunSettings& settings, const Options& options,
                                         Urls& urls) {
  const std::string& file = *options.deployment;
  Result<std::string> text = files::read_file(file);
  if (!text) return Exit{kCannotRun, "host: " + text.error().to_string() + "\n"};
  DeploymentResult read = read_deployment(file, *text, settings.root.string());
  if (!read.problems.empty()) return usage_of(read.problems);
  Deployment& deployment = read.deployment;
  if (deployment.listen) settings.listen = *deployment.listen;
  if (deployment.admin) settings.admin = *deployment.admin;
  urls = {deployment.log, deployment.store};
  if (deployment.prefix) settings.prefix = *deployment.prefix;
  if (deployment.partitions) settings.partitions = *deployment.partitions;
  settings.auth = std::move(deployment.auth);
  settings.listeners = std::move(deployment.listeners);
  for (std::optional<TlsFilePaths>* tls :
       {&settings.listeners.tls, &settings.listeners.admin_tls}) {
    if (!*tls) continue;
    (*tls)->certificate = (settings.root / (*tls)->certificate).string();
    (*tls)->key = (settings.root / (*tls)->key).string();
  }
  settings.topics = std::move(deployment.topics);
  for (Deployment::Plugin& plugin : deployment.plugins) {
    // As a person would name it from here, so that messages can be followed.
    const fs::path path = settings.root / plugin.file;
    plugin.file = path.lexically_proximate(fs::current_path()).string();
    settings.plugins.push_back(std::move(plugin));
  }
  return std::nullopt;
}

/// Two options that make one pair. Text: what is wrong; "" when nothing is.
std::string take_tls(const char* option, const std::optional<std::string>& certificate,
                     const std::optional<std::string>& key, std::optional<TlsFilePaths>& setting) {
  if (!certificate && !key) return "";
  const std::string name = std::string("--") + option;
  if (!key) return name + "-cert needs " + name + "-key, the key of the certificate";
  if (!certificate) return name + "-key needs " + name + "-cert, the certificate of the key";
  setting = {.certificate = *certificate, .key = *key};
  return "";
}

template <class T>
void take(const std::optional<T>& given, T& setting) {
  if (given) setting = *given;
}

}  // namespace

Exit cannot_run(const Error& error) { return {kCannotRun, "host: " + error.to_string() + "\n"}; }

fs::path find_root(const fs::path& file) {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  for (fs::path folder = fs::absolute(file, error).lexically_normal().parent_path();;
       folder = folder.parent_path()) {
    // A folder of scripts alone is not enough: tests/scripts is none that modules come from.
    const fs::path scripts = folder / "scripts";
    if (fs::is_directory(scripts / "scenarios", error)) return folder;
    if (fs::is_directory(scripts / "policies", error)) return folder;
    if (folder == folder.parent_path()) return here;
  }
}

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  if (const std::optional<double> quota = cgroup_quota()) {
    cpus = std::min(cpus, static_cast<int>(std::ceil(*quota)));
  }
  return std::max(cpus, 1);
}

std::variant<RunSettings, Exit> make_run_settings(const Options& options) {
  RunSettings settings;
  const std::string first = options.deployment      ? *options.deployment
                            : options.files.empty() ? "."
                                                    : options.files.front();
  std::error_code error;
  settings.root = options.root ? fs::absolute(*options.root, error) : find_root(first);
  if (!fs::is_directory(settings.root, error)) {
    return Exit{kCannotRun, "host: --root " + settings.root.string() + " is no folder\n"};
  }
  Urls urls;
  if (options.deployment) {
    if (auto exit = read_deployment_into(settings, options, urls)) return *exit;
  }
  if (options.auth) {
    if (auto exit = read_auth_into(settings, *options.auth)) return *exit;
  }
  for (const std::string& file : options.files) {
    settings.plugins.push_back({.file = file, .config = {}, .policies = {}, .policy_config = {}});
  }
  take(options.listen, settings.listen);
  if (options.admin) settings.admin = *options.admin;
  take(options.prefix, settings.prefix);
  take(options.partitions, settings.partitions);
  take(options.stop_timeout, settings.stop_timeout);
  take(options.memory, settings.memory);
  take(options.skip_gaps, settings.skip_gaps);
  if (options.data) settings.data = *options.data;
  settings.lanes = options.lanes ? *options.lanes : usable_cpus();
  settings.sets = options.sets;
  std::string wrong = take_tls("tls", options.tls_cert, options.tls_key, settings.listeners.tls);
  if (wrong.empty()) {
    wrong = take_tls("admin-tls", options.admin_tls_cert, options.admin_tls_key,
                     settings.listeners.admin_tls);
  }
  if (!wrong.empty()) return usage(wrong);
  if (options.log) urls.log = options.log;
  if (options.store) urls.store = options.store;
  if (options.command == Options::Command::run) {
    Result<std::optional<Servers>> servers =
        read_servers(urls.log, urls.store, {options.passwords, options.password_variables},
                     settings.root.string());
    if (!servers) return usage(servers.error().to_string());
    settings.servers = std::move(*servers);
  }
  if (settings.admin == "none") settings.admin = std::nullopt;
  if (settings.admin && !is_loopback(*settings.admin) && !settings.auth) {
    return usage("--admin " + *settings.admin +
                 " leaves this machine: that takes tokens (`auth` in the deployment file, or "
                 "--auth FILE; else --admin 127.0.0.1:8081, or none)");
  }
  return settings;
}

}  // namespace host::app
