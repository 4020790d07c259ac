#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "host/ports/metrics.h"

namespace host::telemetry {

/// A value as it is now, for the text alone: of what somebody else keeps account of.
struct Sample {
  std::string name;
  double value = 0;
  ports::Labels labels = {};
};

/// Metrics in memory, read by Prometheus as text. A name that was not described is what its first
/// use makes it (add: counter, set: gauge, observe: histogram). Use that does not fit, such as a
/// negative add to a counter, an observe of a gauge or a name that Prometheus refuses, is dropped
/// and counted in host_metric_misuse_total.
///
/// Series of one value of the label "plugin" are capped, a histogram counts as one; series without
/// that label are the host's own and bounded by it. By name a series that is known costs one hash
/// and no lock: each thread remembers where it found it. A series that is kept costs neither.
/// Thread-safe.
class PrometheusMetrics final : public ports::Metrics {
 public:
  static constexpr std::size_t kSeriesPerPlugin = 1000;
  static constexpr const char* kDropped = "host_metric_series_dropped_total";
  static constexpr const char* kMisuse = "host_metric_misuse_total";

  explicit PrometheusMetrics(std::size_t series_per_plugin = kSeriesPerPlugin);
  ~PrometheusMetrics() override;

  /// A second describe() of a name changes nothing.
  void describe(const std::string& name, const std::string& kind, const std::string& help) override;
  void add(const std::string& name, double n, const ports::Labels& labels = {}) override;
  void set(const std::string& name, double value, const ports::Labels& labels = {}) override;
  void observe(const std::string& name, double value, const ports::Labels& labels = {}) override;
  ports::Counter& counter(const std::string& name, const ports::Labels& labels = {}) override;
  ports::Gauge& gauge(const std::string& name, const ports::Labels& labels = {}) override;
  ports::Histogram& histogram(const std::string& name, const ports::Labels& labels = {}) override;

  /// All series in the text exposition format 0.0.4, and `now`, which are gauges where they are not
  /// described as counters. Of such a name there are no other series.
  std::string text(std::span<const Sample> now = {}) const;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace host::telemetry
