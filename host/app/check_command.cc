#include <algorithm>
#include <cstdio>
#include <set>

#include "host/adapters/sqlite/database.h"
#include "host/adapters/telemetry/logger.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/app/admin_documents.h"
#include "host/app/commands.h"
#include "host/app/load_revision.h"
#include "host/app/system_ports.h"
#include "host/runtime/routes.h"
#include "host/script/watchdog.h"

namespace host::app {
namespace {

/// Names and routes that two of the plugins share.
void check_together(const std::vector<std::shared_ptr<const ports::Revision>>& revisions,
                    Problems& problems) {
  std::vector<const Manifest*> manifests;
  std::map<std::string, const Manifest*> names;
  for (const auto& revision : revisions) {
    const Manifest& manifest = revision->manifest();
    const auto [other, added] = names.emplace(manifest.name, &manifest);
    if (!added) {
      problems.push_back({.file = manifest.file,
                          .line = 0,
                          .column = 0,
                          .message = "the plugin of " + other->second->file + " has the name " +
                                     manifest.name + ", too",
                          .hint = "names of plugins are unique in a process"});
      continue;
    }
    manifests.push_back(&manifest);
    const auto routes = runtime::Routes::make(manifests);
    if (routes) continue;
    problems.push_back({.file = manifest.file,
                        .line = 0,
                        .column = 0,
                        .message = routes.error().message,
                        .hint = routes.error().hint});
    manifests.pop_back();
  }
}

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

}  // namespace

int check_command(const Options& options) {
  const auto logger = telemetry::make_logger({.level = ports::LogLevel::error});
  telemetry::PrometheusMetrics metrics;
  const script::Watchdog watchdog({}, *logger);
  const std::variant<RunSettings, Exit> made = make_run_settings(options);
  if (const Exit* exit = std::get_if<Exit>(&made)) {
    std::fputs(exit->text.c_str(), stderr);
    return exit->code;
  }
  const RunSettings& settings = std::get<RunSettings>(made);
  Scripts scripts(settings, check_loader(settings.memory, *logger, metrics));
  const SystemClock clock;
  Problems problems;
  std::vector<std::shared_ptr<const ports::Revision>> revisions;
  for (const Deployment::Plugin& plugin : settings.plugins) {
    runtime::Loaded loaded = scripts.load(plugin.file);
    problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
    if (!loaded.revision) continue;
    if (auto done = check_tables(loaded.revision->manifest(), clock, problems); !done) {
      std::fprintf(stderr, "host: %s\n", done.error().to_string().c_str());
      return kCannotRun;
    }
    revisions.push_back(std::move(loaded.revision));
  }
  check_together(revisions, problems);
  print(problems, settings.plugins.size(), options.json);
  return problems.empty() ? kFine : kFindings;
}

}  // namespace host::app
