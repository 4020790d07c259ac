#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>

#include "host/base/executor.h"

namespace host::app {

/// The control thread of the process: start, reload, questions of the admin API, stop, one after
/// the other. run() is called by the thread that owns it; post() and post_after() are thread-safe.
class ControlLoop final : public Executor {
 public:
  void post(UniqueFunction<void()> work) override;
  TimerId post_after(Duration delay, UniqueFunction<void()> work) override;
  void cancel(TimerId id) override;

  /// Runs what is posted until quit(). Work that is left is dropped with the loop.
  void run();
  /// The same for so long; false: quit() was called.
  bool run_for(Duration time);
  void quit();

 private:
  using Clock = std::chrono::steady_clock;
  struct Delayed {
    TimerId id;
    UniqueFunction<void()> work;
  };
  bool take(UniqueFunction<void()>& work, Clock::time_point until);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UniqueFunction<void()>> ready_;           // guarded by mutex_
  std::multimap<Clock::time_point, Delayed> delayed_;  // guarded by mutex_
  TimerId next_id_ = 1;                                // guarded by mutex_
  bool quit_ = false;                                  // guarded by mutex_
};

}  // namespace host::app
