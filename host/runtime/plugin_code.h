#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/ports/script_engine.h"

namespace host::runtime {

/// The code of one plugin on one lane: the revision that new messages run on, and the one before
/// while coroutines still wait in it. Shards and HTTP calls ask it whether they may start, and it
/// tells them when the tasks of an engine must be dropped. Only on its lane.
class PluginCode {
 public:
  /// Drops every task that runs on `engine`; its messages run again, without a counted attempt.
  using Dropper = std::function<void(const ports::Engine* engine, bool alone)>;

  static Result<std::unique_ptr<PluginCode>> make(std::shared_ptr<const ports::Revision> revision);

  /// New messages run on `revision` from now on; a third revision drops the first one's tasks.
  Result<void> publish(std::shared_ptr<const ports::Revision> revision);
  /// Ends the replaced revision: what still waits in it runs again on the current one.
  void drop_previous();
  bool draining() const { return previous_ != nullptr; }

  /// Called when a task ended after somebody was not allowed to start: they might try again. It
  /// must not start one itself.
  using Room = std::function<void()>;

  /// Who runs tasks registers here; the id takes it back.
  int on_drop(Dropper dropper, Room room = nullptr);
  void forget_dropper(int id);

  const std::shared_ptr<ports::Engine>& engine() const { return current_; }
  const Manifest& manifest() const { return current_->manifest(); }

  /// Whether another message may start; one that is `alone` runs beside no other, and while such a
  /// one waits no other starts beside what runs.
  bool may_start(bool alone);
  void started(const ports::Engine* engine, bool alone);
  /// A task ended or was dropped. Replaces an engine that ran out of memory.
  void ended(const ports::Engine* engine, bool alone);
  /// Called after every turn: an engine that broke is replaced, and its tasks are dropped.
  Result<void> check(const ports::Engine* engine);

  /// Of each revision that is here.
  std::vector<std::pair<std::string, std::size_t>> memory_bytes() const;
  std::size_t running() const { return running_; }

 private:
  explicit PluginCode(std::shared_ptr<const ports::Revision> revision)
      : revision_(std::move(revision)) {}
  void drop(const std::shared_ptr<ports::Engine>& engine, bool alone);

  std::shared_ptr<const ports::Revision> revision_;
  std::shared_ptr<ports::Engine> current_;
  std::shared_ptr<ports::Engine> previous_;
  std::vector<std::pair<int, Dropper>> droppers_;
  std::vector<std::pair<int, Room>> rooms_;
  int next_dropper_ = 1;
  std::size_t running_ = 0;
  bool alone_running_ = false;
  bool alone_waits_ = false;
  bool refused_ = false;  // somebody may not start, since rooms were last told of
};

}  // namespace host::runtime
