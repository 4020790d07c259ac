#include <cstdio>

#include "bindings/modules.h"
#include "host/adapters/telemetry/logger.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/app/commands.h"
#include "host/app/load_revision.h"
#include "host/app/test_cases.h"
#include "host/script/revision.h"
#include "host/script/test_file.h"
#include "host/script/watchdog.h"

namespace host::app {
namespace {

struct Tally {
  int passed = 0;
  int failed = 0;

  void tell(const std::string& sentence, const std::optional<Error>& error) {
    ++(error ? failed : passed);
    if (!error) {
      std::printf("  ok      %s\n", sentence.c_str());
    } else {
      std::printf("  FAILED  %s\n          %s\n", sentence.c_str(), error->to_string().c_str());
    }
  }
};

/// Runs test files, each with the plugins that it names.
class TestRun {
 public:
  explicit TestRun(const Options& options) : options_(options) {}

  /// False: the file cannot be run at all.
  bool run(const std::string& file) {
    std::printf("%s\n", file.c_str());
    const std::string root =
        options_.root ? *options_.root : find_root(std::filesystem::path(file)).string();
    auto state = script::make_script_state({.memory_cap = script::kLoadMemory, .jit = false});
    if (!state) return wrong(state.error().to_string());
    auto tests = script::load_test_file(**state, bindings::modules(), file, root);
    if (!tests) return wrong(tests.error().to_string());
    if (tests->is_plugin) return smoke(file);
    Options options = options_;
    options.files.clear();
    options.root = root;
    const std::filesystem::path base = root;
    if (!tests->deployment.empty()) options.deployment = (base / tests->deployment).string();
    for (const std::string& plugin : tests->plugins) {
      options.files.push_back((base / plugin).string());
    }
    RunSettings settings;
    TestWorld::Revisions revisions;
    if (!tests->deployment.empty() || !tests->plugins.empty()) {
      if (!load(options, settings, revisions)) return false;
    }
    for (const auto& [sentence, function] : tests->cases) {
      tally.tell(sentence, run_case(**state, {file, sentence, function}, revisions, settings));
    }
    return true;
  }

  Tally tally;

 private:
  bool smoke(const std::string& file) {
    Options options = options_;
    options.files = {file};
    RunSettings settings;
    TestWorld::Revisions revisions;
    if (!load(options, settings, revisions)) return false;
    run_smoke(revisions.front(), settings,
              [this](const std::string& sentence, const std::optional<Error>& failed) {
                tally.tell(sentence, failed);
              });
    return true;
  }

  bool load(const Options& options, RunSettings& settings, TestWorld::Revisions& revisions) {
    std::variant<RunSettings, Exit> made = make_run_settings(options);
    if (const Exit* exit = std::get_if<Exit>(&made)) return wrong(exit->text);
    settings = std::move(std::get<RunSettings>(made));
    Scripts scripts(settings, revision_loader(settings.memory, *logger_, metrics_));
    bool fine = true;
    for (const Deployment::Plugin& plugin : settings.plugins) {
      runtime::Loaded loaded = scripts.load(plugin.file);
      for (const Problem& problem : loaded.problems) fine = wrong(problem.to_string());
      if (loaded.revision) revisions.push_back(std::move(loaded.revision));
    }
    return fine;
  }

  bool wrong(const std::string& text) {
    ++tally.failed;
    std::printf("  FAILED  %s\n", text.c_str());
    return false;
  }

  const Options& options_;
  const std::unique_ptr<ports::Logger> logger_ =
      telemetry::make_logger({.level = ports::LogLevel::error});
  telemetry::PrometheusMetrics metrics_;
};

}  // namespace

int test_command(const Options& options) {
  const auto logger = telemetry::make_logger({.level = ports::LogLevel::error});
  const script::Watchdog watchdog({.turn = options.turn_limit.value_or(kTurnLimit)}, *logger);
  TestRun run(options);
  for (const std::string& file : options.files) run.run(file);
  std::printf("%d passed, %d failed\n", run.tally.passed, run.tally.failed);
  return run.tally.failed == 0 ? kFine : kFindings;
}

}  // namespace host::app
