#include <cstdio>

#include "host/adapters/telemetry/logger.h"
#include "host/app/commands.h"
#include "host/app/host_process.h"
#include "host/app/load_revision.h"
#include "host/app/signals.h"
#include "host/app/test_cases.h"

namespace host::app {
namespace {

int say(const Exit& exit) {
  std::fputs(exit.text.c_str(), exit.code == kFine ? stdout : stderr);
  return exit.code;
}

struct Help {
  const char* name;
  const char* kind;
  const char* help;
};
constexpr Help kMetrics[] = {
    {"host_pending", "gauge", "Messages that wait for a retry, or behind one that does"},
    {"host_timers", "gauge", "Durable timers that are in memory"},
    {"host_outbox_rows", "gauge", "Messages sent and not yet acknowledged by the log"},
    {"host_lag", "gauge", "Messages taken and not committed"},
    {"host_lua_memory_bytes", "gauge", "Memory of the plugin's Lua states"},
    {"host_running", "gauge", "Handlers that run or wait"},
    {"host_turns_cut_total", "counter", "Turns that used up their CPU time"},
    {"host_reloads_total", "counter", "New revisions, by what became of them"},
};

}  // namespace

int run_command(const Options& options) {
  ControlLoop control;
  HostProcess* process = nullptr;  // set before anything is posted to it
  Signals signals({.stop = [&] { control.post([&] { control.quit(); }); },
                   .reload =
                       [&] {
                         control.post([&] {
                           if (process != nullptr) process->reload_all();
                         });
                       }});
  const auto logger = telemetry::make_logger({.level = options.log_level});
  for (const std::string& warning : options.warnings) {
    logger->log(ports::LogLevel::warn, warning);
  }
  telemetry::PrometheusMetrics metrics;
  for (const Help& metric : kMetrics) metrics.describe(metric.name, metric.kind, metric.help);
  const script::Watchdog watchdog(
      {.turn = options.turn_limit.value_or(std::chrono::milliseconds(250))}, *logger);

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
