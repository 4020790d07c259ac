#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "host/ports/metrics.h"

namespace host::fakes {

/// For fakes: a series is its name and labels, and what is given to it goes where add(), set() and
/// observe() of the same name go. Thread-safe where those are.
class MetricsByName : public ports::Metrics {
 public:
  ports::Counter& counter(const std::string& name, const ports::Labels& labels = {}) override {
    return series(name, labels);
  }
  ports::Gauge& gauge(const std::string& name, const ports::Labels& labels = {}) override {
    return series(name, labels);
  }
  ports::Histogram& histogram(const std::string& name, const ports::Labels& labels = {}) override {
    return series(name, labels);
  }

 private:
  class Named final : public ports::Counter, public ports::Gauge, public ports::Histogram {
   public:
    Named(ports::Metrics& metrics, std::string name, ports::Labels labels)
        : metrics_(metrics), name_(std::move(name)), labels_(std::move(labels)) {}
    void add(double n) override { metrics_.add(name_, n, labels_); }
    void set(double value) override { metrics_.set(name_, value, labels_); }
    void observe(double value) override { metrics_.observe(name_, value, labels_); }
    void observe_all(std::span<const double> values) override {
      for (const double value : values) observe(value);
    }

   private:
    ports::Metrics& metrics_;
    const std::string name_;
    const ports::Labels labels_;
  };
  Named& series(const std::string& name, const ports::Labels& labels) {
    const std::lock_guard lock(mutex_);
    return series_.emplace_back(*this, name, labels);
  }

  std::mutex mutex_;
  std::deque<Named> series_;  // guarded by mutex_; they stay where they are
};

}  // namespace host::fakes
