#pragma once

#include <deque>
#include <map>

#include "host/base/executor.h"
#include "host/ports/clock.h"

namespace host::app {

/// Virtual time for `host test`: work runs when it is asked to, the clock moves when it is told to,
/// so that a day passes in no time and every run is alike. Only on its thread.
class VirtualExecutor final : public Executor, public ports::Clock {
 public:
  Time now() const override { return now_; }

  void post(UniqueFunction<void()> work) override;
  TimerId post_after(Duration delay, UniqueFunction<void()> work) override;
  void cancel(TimerId id) override;

  /// After so much CPU time of this thread no work runs any more: plugins that never come to rest
  /// end there. Until it is called there is no limit.
  void stop_after(Duration cpu_time);
  /// Runs what is ready until nothing is. False: still not at the limit.
  [[nodiscard]] bool run_ready();
  /// Lets time pass; what falls due on the way runs at its time. False as above.
  [[nodiscard]] bool advance(Duration duration);
  /// When the next delayed work is due; kForever when there is none.
  Duration until_next() const;
  /// Drops all work: its owners are about to go.
  void clear();

 private:
  Time now_ = from_micros(1'767'225'600'000'000);  // 2026-01-01T00:00:00Z
  std::deque<UniqueFunction<void()>> ready_;
  std::map<std::pair<Time, TimerId>, UniqueFunction<void()>> delayed_;
  TimerId next_ = 1;
  Duration cpu_limit_ = kForever;  // of the thread's CPU clock
};

}  // namespace host::app
