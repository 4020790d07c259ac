#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "host/ports/metrics.h"

namespace host::telemetry {

/// Metrics in memory, read by Prometheus as text. A name that was not described is what its first
/// use makes it (add: counter, set: gauge, observe: histogram). Use that does not fit, such as a
/// negative add to a counter, an observe of a gauge or a name that Prometheus refuses, is dropped
/// and counted in host_metric_misuse_total.
///
/// Series of one value of the label "plugin" are capped; series without that label are the host's
/// own and bounded by it. A series that is known costs one hash and no lock: each thread remembers
/// where it found it.
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

  /// All series in the text exposition format 0.0.4.
  std::string text() const;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace host::telemetry
