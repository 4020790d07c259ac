#include "host/adapters/telemetry/metrics_text.h"

#include <prometheus/check_names.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/utf8.h"

namespace host::telemetry {
namespace {

constexpr std::array kSeconds{0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002,
                              0.005,   0.01,    0.02,    0.05,   0.1,    0.2,    0.5,   1.0,
                              2.0,     5.0,     10.0,    30.0,   60.0,   300.0};
constexpr std::array kBytes{64.0,     256.0,     1024.0,    4096.0,     16384.0,   65536.0,
                            262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0};
constexpr std::array kNumbers{1.0,   2.0,   5.0,    10.0,   20.0,   50.0,    100.0,
                              200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 100000.0};

prometheus::ClientMetric with_labels(const ports::Labels& labels) {
  prometheus::ClientMetric out;
  for (const auto& [name, value] : labels) out.label.push_back({name, value});
  std::sort(out.label.begin(), out.label.end());
  return out;
}

prometheus::ClientMetric collected(const Series& series, const ports::Labels& labels) {
  prometheus::ClientMetric out = with_labels(labels);
  if (series.counter != nullptr) out.counter.value = series.counter->value();
  if (series.gauge != nullptr) out.gauge.value = series.gauge->value();
  if (series.histogram == nullptr) return out;
  const std::span<const double> bounds = series.histogram->bounds();
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    out.histogram.sample_count += series.histogram->count(i);
    out.histogram.bucket.push_back(
        {out.histogram.sample_count,
         i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity()});
  }
  out.histogram.sample_sum = series.histogram->sum();
  return out;
}

prometheus::MetricType type_of(Kind kind) {
  switch (kind) {
    case Kind::counter:
      return prometheus::MetricType::Counter;
    case Kind::gauge:
      return prometheus::MetricType::Gauge;
    case Kind::histogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

}  // namespace

std::span<const double> bounds_for(std::string_view name) {
  if (name.ends_with("_seconds")) return kSeconds;
  if (name.ends_with("_bytes")) return kBytes;
  return kNumbers;
}

bool good_labels(const ports::Labels& labels, Kind kind) {
  std::set<std::string_view> seen;
  for (const auto& [label, value] : labels) {
    const bool reserved = kind == Kind::histogram && label == "le";
    if (reserved || !prometheus::CheckLabelName(label) || !valid_utf8(value)) return false;
    if (!seen.insert(label).second) return false;
  }
  return true;
}

MetricsText::MetricsText() = default;
MetricsText::~MetricsText() = default;

prometheus::MetricFamily& MetricsText::family(const std::string& name, const Family* family) {
  const auto [at, is_new] = families_.try_emplace(name);
  if (is_new) {
    at->second.name = name;
    at->second.type = type_of(family == nullptr ? Kind::gauge : family->kind);
    if (family != nullptr) at->second.help = family->help;
  }
  return at->second;
}

void MetricsText::add(const std::string& name, const Family* of, const Series& series,
                      const ports::Labels& labels) {
  family(name, of).metric.push_back(collected(series, labels));
}

void MetricsText::add(const std::string& name, const Family* of, double value,
                      const ports::Labels& labels) {
  prometheus::ClientMetric metric = with_labels(labels);
  metric.counter.value = metric.gauge.value = value;  // which one, its family says
  family(name, of).metric.push_back(std::move(metric));
}

std::string MetricsText::write() {
  std::vector<prometheus::MetricFamily> all;
  for (auto& [name, family] : families_) {
    std::sort(family.metric.begin(), family.metric.end(),
              [](const auto& a, const auto& b) { return a.label < b.label; });
    all.push_back(std::move(family));
  }
  families_.clear();
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace host::telemetry
