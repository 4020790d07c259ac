#pragma once

#include <memory>
#include <set>
#include <string>

#include "host/ports/script_engine.h"
#include "host/runtime/environment.h"
#include "host/runtime/plugin_code.h"

namespace host::runtime {

/// One run of an HTTP handler: its task, what it waits for, and its deadline. Ends by calling
/// `done` once, or by being cancelled. Kept alive by its own callbacks. Only on its lane.
class HttpCall : public std::enable_shared_from_this<HttpCall> {
 public:
  using Done = UniqueFunction<void(ports::HttpOutcome)>;

  HttpCall(const Environment& environment, Executor& lane, PluginCode& code, Duration timeout,
           Done done);
  ~HttpCall();

  void start(ports::Call call);
  /// The client is gone: nothing of it goes on, `done` is not called.
  void cancel();

 private:
  void on_step(ports::Step step);
  void begin_effect(ports::Effect effect);
  void ask(ports::AskEffect ask, UniqueFunction<void(ports::EffectAnswer)> resume);
  void end();
  void finish(ports::HttpOutcome outcome);

  const Environment& env_;
  Executor& lane_;
  PluginCode& code_;
  const std::string plugin_;
  const Duration timeout_;
  Done done_;
  Executor::TimerId deadline_ = 0;
  int dropper_ = 0;
  std::shared_ptr<ports::Engine> engine_;
  std::unique_ptr<ports::Task> task_;
  std::set<std::string> asks_;
  Headers headers_;
};

}  // namespace host::runtime
