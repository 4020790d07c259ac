#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "host/ports/script_engine.h"
#include "host/runtime/environment.h"
#include "host/runtime/http_meter.h"
#include "host/runtime/plugin_code.h"

namespace host::runtime {

/// One run of an HTTP handler: its task, what it waits for, and its deadline. Ends by calling
/// `done` once, or by being cancelled. An answer in parts is told with its first part as body; when
/// that is all of it, it is an answer like any other, else it goes on by next_part(). Kept alive by
/// its own callbacks. Only on its lane.
class HttpCall : public std::enable_shared_from_this<HttpCall> {
 public:
  /// Given the call itself, which is over unless its answer goes on in parts.
  using Done = UniqueFunction<void(const std::shared_ptr<HttpCall>&, ports::HttpOutcome&&)>;

  HttpCall(const Environment& environment, Executor& lane, PluginCode& code, Duration timeout,
           Done done);
  ~HttpCall();

  /// `once`, unless empty, stands for a request that may be repeated: its asks are handled once.
  /// `done` comes before it returns when the first turn is all of it.
  void start(ports::Call&& call, std::string once = {});
  /// Whether the handler waits, or its answer goes on.
  bool running() const { return task_ != nullptr; }
  /// What every message of this call carries; the correlation id comes first.
  const Headers& headers() const { return headers_; }
  /// After an outcome in parts: the next one, in the time that the route has for it. An error ends
  /// the call. One at a time.
  using PartCallback = UniqueFunction<void(Result<ports::BodyPart>)>;
  void next_part(PartCallback callback);
  /// Before start(): what it sends and how long its turns take is counted, as those of `route`.
  void measure(std::shared_ptr<HttpMeter> meter, std::string route);
  /// The client is gone: nothing of it goes on, `done` is not called.
  void cancel();

 private:
  void on_step(ports::Step&& step);
  void begin_effect(ports::Effect effect);
  void ask(ports::AskEffect ask, UniqueFunction<void(ports::EffectAnswer)> resume);
  void send_question(const std::string& id, ports::AskEffect question);
  std::string ask_id(const ports::AskEffect& question);
  void rows(ports::RowsEffect effect, UniqueFunction<void(ports::EffectAnswer)> resume);
  void next_page(std::uint64_t cursor, UniqueFunction<void(ports::EffectAnswer)> resume);
  void watch();
  void arm_deadline();
  ports::Step part_turn();
  void disarm_deadline();
  void took_part(ports::BodyPart part);
  void after_turn(const ports::Engine* engine);
  void end();
  void finish(ports::HttpOutcome&& outcome);

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
  std::string once_;
  std::size_t asked_ = 0;  // questions so far
  std::map<std::uint64_t, std::unique_ptr<ports::RowCursor>> cursors_;
  std::uint64_t last_cursor_ = 0;
  std::optional<ports::HttpOutcome> head_;  // of an answer in parts, until its first part is there
  PartCallback part_;
  std::shared_ptr<HttpMeter> meter_;  // null: not measured
  std::string route_;
  double turn_seconds_ = 0;
  Headers headers_;
};

}  // namespace host::runtime
