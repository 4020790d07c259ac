#include "host/app/test_cases.h"

#include <luajit.h>

#include <chrono>

#include "bindings/test.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/script/engine.h"

namespace host::app {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kInstructions = 100'000;  // between two looks at the clock
constexpr auto kLongestCase = std::chrono::seconds(10);
thread_local SteadyClock::time_point case_deadline;

void look_at_clock(lua_State* L, lua_Debug*) {
  if (SteadyClock::now() > case_deadline) luaL_error(L, "the case runs longer than ten seconds");
}

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
  case_deadline = SteadyClock::now() + kLongestCase;
  Result<void> ran = state.protect([&](lua_State* L) {
    // Compiled loops do not look at hooks.
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_sethook(L, look_at_clock, LUA_MASKCOUNT, kInstructions);
    lua_rawgeti(L, LUA_REGISTRYINDEX, test.function);
    bindings::push_test(L, **world);
    lua_call(L, 1, 0);
  });
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
