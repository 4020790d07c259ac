#include <cstdio>

#include "host/adapters/telemetry/logger.h"
#include "host/app/commands.h"
#include "host/app/host_process.h"
#include "host/app/load_revision.h"
#include "host/app/metric_names.h"
#include "host/app/signals.h"
#include "host/app/test_cases.h"

namespace host::app {
namespace {

int say(const Exit& exit) {
  std::fputs(exit.text.c_str(), exit.code == kFine ? stdout : stderr);
  return exit.code;
}

}  // namespace

int run_command(const Options& options) {
  ControlLoop control;
  HostProcess* process = nullptr;  // set before anything is posted to it
  Signals signals({.stop = [&] { control.quit(); },
                   .reload =
                       [&] {
                         control.post([&] {
                           if (process != nullptr) process->reload_all();
                         });
                       }});
  telemetry::PrometheusMetrics metrics;
  describe_metrics(metrics);
  const auto logger = telemetry::make_logger({.level = options.log_level, .metrics = &metrics});
  for (const std::string& warning : options.warnings) {
    logger->log(ports::LogLevel::warn, warning);
  }
  const script::Watchdog watchdog({.turn = options.turn_limit.value_or(kTurnLimit)}, *logger);

  const std::variant<RunSettings, Exit> made = make_run_settings(options);
  if (const Exit* exit = std::get_if<Exit>(&made)) return say(*exit);
  const RunSettings& settings = std::get<RunSettings>(made);
  HostProcess running(
      {.settings = settings,
       .control = control,
       .logger = *logger,
       .metrics = metrics,
       .watchdog = watchdog,
       .load = revision_loader(settings.memory, *logger, metrics),
       .smoke = [&settings](const auto& revision) { return run_smoke(revision, settings); }});
  if (const std::optional<Exit> exit = running.open()) return say(*exit);
  process = &running;
  return running.serve();
}

}  // namespace host::app
