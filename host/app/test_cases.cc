#include "host/app/test_cases.h"

#include "bindings/test.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/script/engine.h"
#include "host/script/test_file.h"

namespace host::app {
namespace {

/// Remembers what went wrong while a case ran, to be shown with its failure.
class CaseLogger final : public ports::Logger {
 public:
  bool enabled(ports::LogLevel level) const override { return level >= ports::LogLevel::warn; }
  void log(ports::LogLevel level, std::string_view text, const ports::LogFields& fields) override {
    if (!enabled(level) || lines_ > 20) return;
    ++lines_;
    told_ += "\n    log: " + std::string(text);
    for (const auto& [name, value] : fields) {
      if (name == "error" || name == "topic") told_ += ", " + name + " " + value;
    }
  }
  const std::string& told() const { return told_; }

 private:
  std::string told_;
  int lines_ = 0;
};

}  // namespace

std::optional<Error> run_case(script::LuaState& state, const TestCase& test,
                              const TestWorld::Revisions& revisions, const RunSettings& settings) {
  CaseLogger logger;
  telemetry::PrometheusMetrics metrics;
  auto world = TestWorld::make(revisions, settings, logger, metrics);
  if (!world) return world.error();
  const Result<void> ran = script::run_test(state, test.function,
                                            [&](lua_State* L) { bindings::push_test(L, **world); });
  if (ran) return std::nullopt;
  Error error = ran.error();
  error.message += logger.told();
  if (error.file.empty()) error.file = test.file;
  return error;
}

Problems run_smoke(
    const std::shared_ptr<const ports::Revision>& revision, const RunSettings& settings,
    const std::function<void(const std::string&, const std::optional<Error>&)>& told) {
  // The cases are functions of the plugin's own file: they run in a state of its own.
  auto engine = revision->make_engine();
  const std::string& file = revision->manifest().file;
  if (!engine) {
    return {{.file = file, .message = engine.error().to_string(), .hint = {}}};
  }
  auto& script = dynamic_cast<script::ScriptEngine&>(**engine);
  Problems problems;
  for (const auto& smoke : script.table().smoke) {
    const TestCase test{file, smoke.sentence, smoke.function};
    const std::optional<Error> failed = run_case(script.state(), test, {revision}, settings);
    if (told) told(smoke.sentence, failed);
    if (!failed) continue;
    problems.push_back({.file = failed->file,
                        .line = failed->line,
                        .message = "smoke case \"" + smoke.sentence + "\": " + failed->message,
                        .hint = failed->hint});
  }
  return problems;
}

}  // namespace host::app
