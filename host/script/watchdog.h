#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "host/base/time.h"
#include "host/ports/logger.h"
#include "host/script/lua_state.h"

namespace host::script {

/// What the watchdog sees of a thread that runs scripts. One a thread, made by its first Turn.
struct TurnSlot;

/// Cuts scripts that use up the CPU time of their turn: one thread that looks at all lanes. The
/// budget is the lane thread's CPU time, so a machine that is busy or stopped costs no script its
/// life. What cannot be cut (C code) ends the process at the second deadline: better a restart than
/// a lane that never answers again.
/// One at a time in a process. Thread-safe.
class Watchdog {
 public:
  struct Options {
    Duration turn = std::chrono::milliseconds(100);  // CPU time, where a Turn names no other
    Duration deadline = std::chrono::seconds(10);    // CPU time
    /// Called at the second deadline; by default the process ends with status 70.
    std::function<void(const std::string& plugin, const std::string& handler)> fatal = {};
  };

  Watchdog(Options options, ports::Logger& logger);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// How many turns were cut since the start.
  std::uint64_t cuts() const { return cuts_; }

 private:
  void run();
  bool look(TurnSlot& slot);
  void end_process(TurnSlot& slot);

  const Options options_;
  ports::Logger& logger_;
  std::atomic<std::uint64_t> cuts_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // guarded by mutex_
  std::thread thread_;
};

/// One stretch of script execution on this thread, from resume to yield or return: while it lives
/// the watchdog watches. Turns do not nest. On its lane only.
class Turn {
 public:
  /// The two names must outlive the turn. A budget of zero is the watchdog's.
  Turn(LuaState& state, const char* plugin, const char* handler, Duration budget = Duration{0});
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// Whether the watchdog wants this turn to end.
  bool must_stop() const;
  std::string stop_message() const;

 private:
  LuaState& state_;
  TurnSlot& slot_;
};

}  // namespace host::script
