#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace host::ports {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// One series that was found once: to use it costs no look-up, no string and no lock, so what
/// happens with every message or request keeps its series instead of its name and labels.
/// Thread-safe. They belong to their Metrics and live as long.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double n) = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
  virtual void add(double n) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
  /// Cheaper than one by one. For who keeps them in a plain vector while it is busy, and hands
  /// them over now and then.
  virtual void observe_all(std::span<const double> values) = 0;
};

/// Counts and measures. Thread-safe; add, set and observe do not block.
/// Names are the field's: snake_case, counters end in _total, seconds and bytes as units.
/// At most 1,000 series a plugin label; what is above is dropped and counted in
/// host_metric_series_dropped_total.
class Metrics {
 public:
  virtual ~Metrics() = default;
  virtual void describe(const std::string& name, const std::string& kind,
                        const std::string& help) = 0;  // kind: counter | gauge | histogram

  /// For what is rare: each call looks for its series.
  virtual void add(const std::string& name, double n, const Labels& labels = {}) = 0;
  virtual void set(const std::string& name, double value, const Labels& labels = {}) = 0;
  virtual void observe(const std::string& name, double value, const Labels& labels = {}) = 0;

  /// For what is frequent: the series itself, which is there (with 0) from now on. One that is
  /// above the cap or does not fit its metric can be used all the same; what is given to it is
  /// dropped and counted as such.
  virtual Counter& counter(const std::string& name, const Labels& labels = {}) = 0;
  virtual Gauge& gauge(const std::string& name, const Labels& labels = {}) = 0;
  virtual Histogram& histogram(const std::string& name, const Labels& labels = {}) = 0;
};

}  // namespace host::ports
