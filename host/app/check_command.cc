#include <cstdio>

#include "bindings/modules.h"
#include "host/adapters/sqlite/database.h"
#include "host/adapters/telemetry/logger.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/app/admin_documents.h"
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
  std::vector<script::LoadRequest> requests;
  for (const Deployment::Plugin& plugin : settings.plugins) {
    const runtime::Loaded loaded = scripts.load(plugin.file);
    requests.push_back(scripts.request(plugin.file));
    requests.back().without_settings = true;
    if (!loaded.revision) continue;  // why, is found again below
    if (auto done = check_tables(loaded.revision->manifest(), clock, problems); !done) {
      std::fprintf(stderr, "host: %s\n", done.error().to_string().c_str());
      return kCannotRun;
    }
  }
  const Problems found = script::check_plugins(requests, bindings::modules());
  problems.insert(problems.begin(), found.begin(), found.end());
  print(problems, settings.plugins.size(), options.json);
  return problems.empty() ? kFine : kFindings;
}

}  // namespace host::app
