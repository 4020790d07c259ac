#pragma once

#include <map>
#include <span>
#include <string>

#include "host/adapters/telemetry/series.h"
#include "host/ports/metrics.h"

namespace prometheus {
struct ClientMetric;
struct MetricFamily;
}  // namespace prometheus

namespace host::telemetry {

enum class Kind { counter, gauge, histogram };

/// One of the three, by the family's kind.
struct Series {
  CounterSeries* counter = nullptr;
  GaugeSeries* gauge = nullptr;
  HistogramSeries* histogram = nullptr;
};

struct Family {
  Kind kind = Kind::counter;
  std::string help = {};
};

/// The upper bounds of a histogram's buckets, by the unit that its name ends in.
std::span<const double> bounds_for(std::string_view name);
/// Whether Prometheus takes these labels; one that it does not would spoil the whole text.
bool good_labels(const ports::Labels& labels, Kind kind);

/// Collects values family by family, and writes them as text. On one thread.
class MetricsText {
 public:
  MetricsText();
  ~MetricsText();
  /// `family` null: a gauge that nobody described.
  void add(const std::string& name, const Family* family, const Series& series,
           const ports::Labels& labels);
  void add(const std::string& name, const Family* family, double value,
           const ports::Labels& labels);
  /// By name, and by labels in a name.
  std::string write();

 private:
  prometheus::MetricFamily& family(const std::string& name, const Family* family);

  std::map<std::string, prometheus::MetricFamily> families_;
};

}  // namespace host::telemetry
