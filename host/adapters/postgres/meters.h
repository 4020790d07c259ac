#pragma once

#include <chrono>

#include "host/ports/metrics.h"

namespace host::postgres {

/// What the store measures of itself; each series is found once. Without metrics nothing is
/// measured. Immutable; the series are thread-safe.
struct Meters {
  explicit Meters(ports::Metrics* metrics) {
    if (metrics == nullptr) return;
    transaction = &metrics->histogram("host_store_transaction_seconds");
    jobs = &metrics->histogram("host_store_transaction_jobs");
    queue = &metrics->histogram("host_store_queue_seconds");
    failures = &metrics->counter("host_store_failures_total");
  }
  ports::Histogram* transaction = nullptr;  // of commits, from the first byte to the answer
  ports::Histogram* jobs = nullptr;         // commits in one transaction
  ports::Histogram* queue = nullptr;        // from commit() to its transaction
  ports::Counter* failures = nullptr;  // commits that could not be written, or perhaps were not
};

/// Wall time since it was made. A monotonic clock: durations, not dates.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

inline void observe(ports::Histogram* series, double value) {
  if (series != nullptr) series->observe(value);
}

/// Measures a stretch of code, however it is left. Null: it does not.
class Measured {
 public:
  explicit Measured(ports::Histogram* series) : series_(series) {}
  ~Measured() { observe(series_, watch_.seconds()); }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;

 private:
  ports::Histogram* const series_;
  const Stopwatch watch_;
};

}  // namespace host::postgres
