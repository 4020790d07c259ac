#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "host/base/check.h"
#include "host/ports/metrics.h"

namespace host::telemetry {

/// The values behind the series of ports/metrics.h. A value that does not fit is counted in
/// `misused` instead. Thread-safe, without locks: who reads while others write may see the one part
/// of an observation and not yet the other.

class CounterSeries final : public ports::Counter {
 public:
  explicit CounterSeries(ports::Counter* misused) : misused_(misused) {}
  void add(double n) override {
    if (n >= 0 && std::isfinite(n)) {
      value_.fetch_add(n, std::memory_order_relaxed);
    } else if (misused_ != nullptr) {
      misused_->add(1);
    }
  }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  ports::Counter* const misused_;  // null: of the one that counts misuse
  std::atomic<double> value_{0};
};

class GaugeSeries final : public ports::Gauge {
 public:
  void set(double value) override { value_.store(value, std::memory_order_relaxed); }
  void add(double n) override { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class HistogramSeries final : public ports::Histogram {
 public:
  static constexpr std::size_t kMostBounds = 31;

  /// `bounds` ascend, are borrowed for ever, and stand for "up to and with".
  HistogramSeries(std::span<const double> bounds, ports::Counter& misused)
      : bounds_(bounds), misused_(misused), counts_(bounds.size() + 1) {
    HOST_CHECK(bounds.size() <= kMostBounds, "a histogram of too many buckets");
  }

  void observe(double value) override {
    if (std::isnan(value)) return misused_.add(1);
    counts_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  void observe_all(std::span<const double> values) override {
    std::array<std::uint64_t, kMostBounds + 1> counts{};
    double sum = 0;
    for (const double value : values) {
      if (std::isnan(value)) {
        misused_.add(1);
        continue;
      }
      ++counts[bucket_of(value)];
      sum += value;
    }
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts[i] > 0) counts_[i].fetch_add(counts[i], std::memory_order_relaxed);
    }
    if (sum != 0) sum_.fetch_add(sum, std::memory_order_relaxed);
  }

  std::span<const double> bounds() const { return bounds_; }
  /// Of one bucket, without those below it; the last one is what lies above all bounds.
  std::uint64_t count(std::size_t bucket) const {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::size_t bucket_of(double value) const {
    return static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) -
                                    bounds_.begin());
  }

  const std::span<const double> bounds_;
  ports::Counter& misused_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

/// Stands in for a series that cannot be: counts each use where it is said to be lost.
class LostSeries final : public ports::Counter, public ports::Gauge, public ports::Histogram {
 public:
  explicit LostSeries(ports::Counter& where) : where_(where) {}
  void add(double) override { where_.add(1); }
  void set(double) override { where_.add(1); }
  void observe(double) override { where_.add(1); }
  void observe_all(std::span<const double> values) override {
    where_.add(static_cast<double>(values.size()));
  }

 private:
  ports::Counter& where_;
};

}  // namespace host::telemetry
