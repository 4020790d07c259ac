#pragma once

#include <memory>

#include "host/base/executor.h"
#include "host/ports/clock.h"
#include "host/ports/metrics.h"

namespace host::runtime {

/// Looks now and then how late a lane runs what is due, which is how long posted work waits, and
/// how much processor time its thread has used. start() and the destructor where nothing of the
/// lane runs, or on it.
class LaneProbe {
 public:
  static constexpr Duration kEvery = std::chrono::milliseconds(100);

  LaneProbe(Executor& lane, int number, const ports::Clock& clock, ports::Metrics& metrics);
  void start();

 private:
  void look_at(Time due);

  Executor& lane_;
  const ports::Clock& clock_;
  ports::Histogram& delay_;
  ports::Counter& cpu_;
  double counted_cpu_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace host::runtime
