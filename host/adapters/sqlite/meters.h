#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "host/ports/metrics.h"

namespace host::sqlite {

/// Wall time since it was made. A monotonic clock: durations, not dates.
class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  Clock::time_point began() const { return began_; }

 private:
  const Clock::time_point began_ = Clock::now();
};

/// What the data file's writer and readers measure of themselves; each series is found once.
/// Without metrics nothing is measured. Immutable; the series are thread-safe.
struct Meters {
  explicit Meters(ports::Metrics* to) : metrics(to) {
    if (metrics == nullptr) return;
    transaction = &metrics->histogram("host_store_transaction_seconds");
    sync = &metrics->histogram("host_store_sync_seconds");
    queue = &metrics->histogram("host_store_queue_seconds");
    jobs = &metrics->histogram("host_store_transaction_jobs");
    failures = &metrics->counter("host_store_failures_total");
    checkpoint = &metrics->histogram("host_store_checkpoint_seconds", {{"by", "housekeeper"}});
    restart = &metrics->histogram("host_store_checkpoint_seconds", {{"by", "writer"}});
  }
  static void observe(ports::Histogram* series, double value) {
    if (series != nullptr) series->observe(value);
  }

  ports::Metrics* const metrics;
  ports::Histogram* transaction = nullptr;  // a round of the writer
  ports::Histogram* sync = nullptr;         // of it, the COMMIT
  ports::Histogram* queue = nullptr;        // from submit() of a job to its round
  ports::Histogram* jobs = nullptr;         // in a round
  ports::Counter* failures = nullptr;       // rounds that could not be written
  ports::Histogram* checkpoint = nullptr;   // of the write-ahead log, beside the writer
  ports::Histogram* restart = nullptr;      // the same, and the writer waits for it
};

/// Measures a stretch of code, however it is left. Null: it does not.
class Measured {
 public:
  explicit Measured(ports::Histogram* series) : series_(series) {}
  ~Measured() { Meters::observe(series_, watch_.seconds()); }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;

 private:
  ports::Histogram* const series_;
  const Stopwatch watch_;
};

}  // namespace host::sqlite
