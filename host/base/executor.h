#pragma once

#include <cstdint>

#include "host/base/time.h"
#include "host/base/unique_function.h"

namespace host {

/// Where work of one owner runs, one piece after the other: a lane in the process, a manual queue
/// in tests. Ports take the executor on which their answers shall arrive.
/// post() and post_after() are thread-safe; cancel() is called on the executor itself.
class Executor {
 public:
  using TimerId = std::uint64_t;

  virtual ~Executor() = default;
  /// Runs `work` later on this executor, in the order of the posts of one thread. Never inline.
  virtual void post(UniqueFunction<void()> work) = 0;
  /// Runs `work` not before `delay`. The id cancels it.
  virtual TimerId post_after(Duration delay, UniqueFunction<void()> work) = 0;
  /// After it returns the work will not run. Of work that ran or was cancelled: no effect.
  virtual void cancel(TimerId id) = 0;
};

}  // namespace host
