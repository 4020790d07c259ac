#include <cstdio>

#include "bindings/modules.h"
#include "host/adapters/files/read_file.h"
#include "host/adapters/sqlite/database.h"
#include "host/adapters/telemetry/logger.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/app/admin_documents.h"
#include "host/app/call_parts.h"
#include "host/app/commands.h"
#include "host/app/load_revision.h"
#include "host/app/system_ports.h"
#include "host/script/lint.h"
#include "host/script/watchdog.h"

namespace host::app {
namespace {

/// Tables are made in a database of memory, to see whether their SQL is right.
Result<void> check_tables(const Manifest& manifest, const ports::Clock& clock, Problems& problems) {
  if (manifest.tables.empty()) return {};
  auto database =
      sqlite::Database::open({.dir = {}, .clock = clock, .threads = false, .in_memory = true});
  if (!database) return database.error();
  if (auto identity = (*database)->open_deployment(1); !identity) return identity.error();
  const Result<void> made = (*database)->migrate(manifest.name, manifest.tables);
  if (made) return {};
  problems.push_back({.file = manifest.file,
                      .line = 0,
                      .column = 0,
                      .message = "tables: " + made.error().message,
                      .hint = made.error().hint});
  return {};
}

void print(const Problems& problems, std::size_t files, bool json) {
  if (json) {
    std::puts(problems_document(problems).c_str());
    return;
  }
  for (const Problem& problem : problems) std::puts(problem.to_string().c_str());
  if (problems.empty()) std::printf("%zu %s, no problem\n", files, files == 1 ? "file" : "files");
}

/// What one run of the host would load together: the plugins of the command line, or a deployment.
class Checked {
 public:
  Checked(const RunSettings& settings, bool deployment, ports::Logger& logger,
          ports::Metrics& metrics)
      : settings_(settings),
        deployment_(deployment),
        scripts_(settings,
                 (deployment ? revision_loader : check_loader)(settings.memory, logger, metrics)) {}

  /// Errors: nothing could be checked, which says nothing about the scripts.
  Result<Problems> problems() {
    const SystemClock clock;
    Problems problems;
    std::vector<script::LoadRequest> requests;
    for (const Deployment::Plugin& plugin : settings_.plugins) {
      const runtime::Loaded loaded = scripts_.load(plugin.file);
      requests.push_back(scripts_.request(plugin.file));
      requests.back().without_settings = !deployment_;
      if (!loaded.revision) continue;  // why, is found again below
      if (auto done = check_tables(loaded.revision->manifest(), clock, problems); !done) {
        return done.error();
      }
    }
    Problems found = script::check_plugins(requests, bindings::modules());
    found.insert(found.end(), problems.begin(), problems.end());
    return found;
  }

 private:
  const RunSettings& settings_;
  const bool deployment_;
  Scripts scripts_;
};

/// What is wrong with the deployment file itself, as findings with their lines.
Problems deployment_problems(const Options& options) {
  if (!options.deployment) return {};
  const std::string& file = *options.deployment;
  const Result<std::string> text = files::read_file(file);
  if (!text) return {};
  const auto root = options.root ? std::filesystem::path(*options.root) : find_root(file);
  return read_deployment(file, *text, root.string()).problems;
}

}  // namespace

int check_command(const Options& options) {
  const auto logger = telemetry::make_logger({.level = ports::LogLevel::error});
  telemetry::PrometheusMetrics metrics;
  const script::Watchdog watchdog({}, *logger);
  Problems problems;
  std::size_t files = 0;
  for (const Options& part : parts_of(options)) {
    files += part.deployment ? 1 : 0;
    if (Problems found = deployment_problems(part); !found.empty()) {
      problems.insert(problems.end(), found.begin(), found.end());
      continue;
    }
    const std::variant<RunSettings, Exit> made = make_run_settings(part);
    if (const Exit* exit = std::get_if<Exit>(&made)) {
      std::fputs(exit->text.c_str(), stderr);
      return exit->code;
    }
    const RunSettings& settings = std::get<RunSettings>(made);
    files += settings.plugins.size();
    Result<Problems> found =
        Checked(settings, part.deployment.has_value(), *logger, metrics).problems();
    if (!found) {
      std::fprintf(stderr, "host: %s\n", found.error().to_string().c_str());
      return kCannotRun;
    }
    problems.insert(problems.end(), found->begin(), found->end());
  }
  print(problems, files, options.json);
  return problems.empty() ? kFine : kFindings;
}

}  // namespace host::app
