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
// docs/running.md has the same list; a test holds the two and the code together.
constexpr Help kMetrics[] = {
    {"host_messages_handled_total", "counter", "Messages whose handler is done"},
    {"host_messages_sent_total", "counter", "Messages that handlers sent"},
    {"host_script_errors_total", "counter", "Attempts that raised"},
    {"host_retries_total", "counter", "Attempts that will be repeated"},
    {"host_dead_letters_total", "counter", "Messages that went to the dead letters"},
    {"host_duplicates_dropped_total", "counter", "Messages that had been taken before"},
    {"host_once_dropped_total", "counter", "Repeats of foreign producers"},
    {"host_late_dropped_total", "counter", "Messages for keys that were forgotten"},
    {"host_commits_total", "counter", "Commits"},
    {"host_commit_seconds", "histogram", "From the start of a commit to its end"},
    {"host_commit_messages", "histogram", "Messages that a commit finished"},
    {"host_claims_total", "counter", "Shards claimed"},
    {"host_fences_total", "counter", "Commits refused because somebody else owns the shard"},
    {"host_log_gaps_total", "counter", "Reads below the start of the log"},
    {"host_http_requests_total", "counter", "Requests of routes"},
    {"host_http_request_seconds", "histogram", "From a request's arrival to its answer's head"},
    {"host_http_replays_total", "counter", "Repeated requests that got the first one's answer"},
    {"host_reloads_total", "counter", "New revisions, by what became of them"},
    {"host_turns_cut_total", "counter", "Turns that used up their CPU time"},
    {"host_lag", "gauge", "Messages taken and not committed"},
    {"host_pending", "gauge", "Messages that wait for a retry, or behind one that does"},
    {"host_timers", "gauge", "Durable timers that are in memory"},
    {"host_outbox_rows", "gauge", "Messages sent and not yet acknowledged by the log"},
    {"host_running", "gauge", "Handlers that run or wait"},
    {"host_lua_memory_bytes", "gauge", "Memory of the plugin's Lua states"},
};

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
  const auto logger = telemetry::make_logger({.level = options.log_level});
  for (const std::string& warning : options.warnings) {
    logger->log(ports::LogLevel::warn, warning);
  }
  telemetry::PrometheusMetrics metrics;
  for (const Help& metric : kMetrics) metrics.describe(metric.name, metric.kind, metric.help);
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
