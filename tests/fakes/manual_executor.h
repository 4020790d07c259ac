#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "host/base/executor.h"
#include "host/ports/clock.h"

namespace host::fakes {

/// A clock that stands until it is moved. Starts at 2026-01-01T00:00:00Z. Thread-safe.
class ManualClock : public ports::Clock {
 public:
  static constexpr std::int64_t kStart = 1'767'225'600'000'000;

  Time now() const override { return from_micros(micros_.load()); }
  void set(Time t) { micros_.store(to_micros(t)); }
  void advance(Duration d) { micros_.fetch_add(d.count()); }

 private:
  std::atomic<std::int64_t> micros_{kStart};
};

class ManualExecutor;

/// Runs the work of all executors of one simulated world on the calling thread, against virtual
/// time. With a seed, which executor goes next is a seeded draw, so that a history can be repeated;
/// without one, work runs in the order of the posts. Order within one executor is always kept.
/// Every loop has a step limit, so that nothing hangs: `false` says that it was reached.
/// Posting is thread-safe; everything else belongs to the test's thread.
class Scheduler {
 public:
  static constexpr std::size_t kSteps = 1'000'000;

  explicit Scheduler(std::uint64_t seed = 0);  // 0: in the order of the posts

  ManualClock& clock() { return clock_; }

  /// Runs one piece of work that is ready. False: there is none.
  bool run_one();
  /// Runs what is ready until nothing is; time stands still.
  [[nodiscard]] bool run_until_idle(std::size_t limit = kSteps);
  /// Runs until `done`; when nothing is ready, time jumps to what is due next. False: nothing is
  /// left to run, or the limit is reached.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, std::size_t limit = kSteps);
  /// Lets `d` pass; what falls due on the way runs at its time.
  [[nodiscard]] bool advance(Duration d, std::size_t limit = kSteps);
  /// For adapters with threads of their own: runs what they post until `done`, in real time.
  [[nodiscard]] bool wait_until(const std::function<bool()>& done,
                                std::chrono::seconds deadline = std::chrono::seconds(10));

  /// When the next delayed work of an executor that is not paused falls due.
  std::optional<Time> next_due();

 private:
  friend class ManualExecutor;
  struct Work {
    std::uint64_t id = 0;  // ascends over all executors
    UniqueFunction<void()> run;
  };

  std::optional<Work> take();

  ManualClock clock_;
  const bool seeded_;
  std::mt19937_64 random_;
  std::mutex mutex_;
  std::condition_variable posted_;
  std::vector<ManualExecutor*> executors_;  // guarded by mutex_
  std::uint64_t last_id_ = 0;               // guarded by mutex_
};

/// One owner's queue: a lane, or a whole process, of a simulated world.
class ManualExecutor : public Executor {
 public:
  explicit ManualExecutor(Scheduler& scheduler);
  ~ManualExecutor() override;
  ManualExecutor(const ManualExecutor&) = delete;
  ManualExecutor& operator=(const ManualExecutor&) = delete;

  void post(UniqueFunction<void()> work) override;
  TimerId post_after(Duration delay, UniqueFunction<void()> work) override;
  void cancel(TimerId id) override;

  /// As SIGSTOP: its work waits, while time passes and others go on.
  void pause();
  void resume();
  /// As SIGKILL: drops all work, and all that is posted from now on.
  void kill();
  bool dead() const { return dead_; }

 private:
  friend class Scheduler;
  void move_due(Time now);

  Scheduler& scheduler_;
  std::deque<Scheduler::Work> ready_;                                   // guarded by its mutex_
  std::map<std::pair<Time, TimerId>, UniqueFunction<void()>> delayed_;  // guarded by its mutex_
  bool paused_ = false;
  std::atomic<bool> dead_{false};
};

}  // namespace host::fakes
