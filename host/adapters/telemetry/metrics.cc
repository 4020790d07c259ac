#include "host/adapters/telemetry/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "host/base/utf8.h"

namespace host::telemetry {
namespace {

enum class Kind { counter, gauge, histogram };

/// One of the three, by the family's kind.
struct Series {
  prometheus::Counter* counter = nullptr;
  prometheus::Gauge* gauge = nullptr;
  prometheus::Histogram* histogram = nullptr;
};

struct Family {
  Kind kind = Kind::counter;
  prometheus::Family<prometheus::Counter>* counters = nullptr;
  prometheus::Family<prometheus::Gauge>* gauges = nullptr;
  prometheus::Family<prometheus::Histogram>* histograms = nullptr;
  prometheus::Histogram::BucketBoundaries buckets = {};
};

struct KeyView {
  std::string_view name;
  const ports::Labels& labels;
};
struct Key {
  std::string name;
  ports::Labels labels;
  operator KeyView() const { return {name, labels}; }  // NOLINT: for the look-up without a copy
};
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(const KeyView& key) const {
    const std::hash<std::string_view> hash;
    std::size_t sum = hash(key.name);
    for (const auto& [name, value] : key.labels) {
      sum = (sum * 31 + hash(name)) * 31 + hash(value);
    }
    return sum;
  }
  std::size_t operator()(const Key& key) const { return (*this)(KeyView(key)); }
};
struct KeyEqual {
  using is_transparent = void;
  bool operator()(const KeyView& a, const KeyView& b) const {
    return a.name == b.name && a.labels == b.labels;
  }
};
using SeriesMap = std::unordered_map<Key, Series, KeyHash, KeyEqual>;

/// What this thread has found before. Series live as long as their metrics, so pointers stay.
struct ThreadCache {
  std::uint64_t owner = 0;
  SeriesMap series;
};

std::atomic<std::uint64_t> next_owner{1};

bool valid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

prometheus::Histogram::BucketBoundaries buckets_for(std::string_view name) {
  if (name.ends_with("_seconds")) {
    return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
            0.25,   0.5,     1,      2.5,   5,      10,    30,   60,    300};
  }
  if (name.ends_with("_bytes")) {
    return {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
  }
  return {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000};
}

}  // namespace

class PrometheusMetrics::Impl {
 public:
  explicit Impl(std::size_t cap) : cap_(cap), owner_(next_owner.fetch_add(1)) {
    describe(kDropped, Kind::counter,
             "Values that were dropped: their plugin has too many series.");
    describe(kMisuse, Kind::counter, "Values that were dropped: they do not fit their metric.");
  }

  void describe(const std::string& name, Kind kind, const std::string& help) {
    const std::lock_guard lock(mutex_);
    family(name, kind, help);
  }

  /// Null: dropped, and counted.
  const Series* find(const std::string& name, const ports::Labels& labels, Kind kind) {
    thread_local ThreadCache cache;
    if (cache.owner != owner_) {
      cache.series.clear();
      cache.owner = owner_;
    }
    const auto known = cache.series.find(KeyView{name, labels});
    if (known != cache.series.end()) return &known->second;
    bool misused = false;
    const Series* made = make(name, labels, kind, misused);
    if (misused) misuse(name);
    if (made == nullptr) return nullptr;
    return &cache.series.emplace(Key{name, labels}, *made).first->second;
  }

  void misuse(const std::string& name) {
    const std::string shown = prometheus::CheckMetricName(name) ? name : "?";
    const Series* series = find(kMisuse, {{"metric", shown}}, Kind::counter);
    if (series != nullptr) series->counter->Increment();
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

 private:
  /// With mutex_ held. Null where Prometheus refuses the name.
  Family* family(const std::string& name, Kind kind, const std::string& help) {
    const auto known = families_.find(name);
    if (known != families_.end()) return &known->second;
    if (!prometheus::CheckMetricName(name)) return nullptr;
    Family made{.kind = kind};
    switch (kind) {
      case Kind::counter:
        made.counters = &prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
        break;
      case Kind::gauge:
        made.gauges = &prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
        break;
      case Kind::histogram:
        made.histograms = &prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
        made.buckets = buckets_for(name);
        break;
    }
    return &families_.emplace(name, std::move(made)).first->second;
  }

  /// Whether Prometheus takes these labels; one that it does not would spoil the whole text.
  static bool good_labels(const ports::Labels& labels, Kind kind) {
    prometheus::Labels seen;
    for (const auto& [label, value] : labels) {
      const bool reserved = kind == Kind::histogram && label == "le";
      if (reserved || !prometheus::CheckLabelName(label) || !valid_utf8(value)) return false;
      if (!seen.emplace(label, value).second) return false;
    }
    return true;
  }

  /// With mutex_ held. Whether the plugin that the labels name may have one more series.
  bool admit(const std::string& name, const ports::Labels& labels) {
    if (name == kDropped) return true;
    for (const auto& [label, value] : labels) {
      if (label != "plugin") continue;
      std::size_t& count = per_plugin_[value];
      if (count >= cap_) {
        families_.at(kDropped).counters->Add({{"plugin", value}}).Increment();
        return false;
      }
      ++count;
    }
    return true;
  }

  const Series* make(const std::string& name, const ports::Labels& labels, Kind kind,
                     bool& misused) {
    const std::lock_guard lock(mutex_);
    const auto known = series_.find(KeyView{name, labels});
    if (known != series_.end()) return &known->second;
    Family* of = family(name, kind, "");
    misused = of == nullptr || !good_labels(labels, of->kind);
    if (misused || !admit(name, labels)) return nullptr;
    const prometheus::Labels as_map(labels.begin(), labels.end());
    Series series;
    if (of->counters != nullptr) series.counter = &of->counters->Add(as_map);
    if (of->gauges != nullptr) series.gauge = &of->gauges->Add(as_map);
    if (of->histograms != nullptr) series.histogram = &of->histograms->Add(as_map, of->buckets);
    return &series_.emplace(Key{name, labels}, series).first->second;
  }

  const std::size_t cap_;
  const std::uint64_t owner_;
  prometheus::Registry registry_;
  std::mutex mutex_;
  std::unordered_map<std::string, Family> families_;         // guarded by mutex_
  SeriesMap series_;                                         // guarded by mutex_
  std::unordered_map<std::string, std::size_t> per_plugin_;  // guarded by mutex_
};

PrometheusMetrics::PrometheusMetrics(std::size_t series_per_plugin)
    : impl_(std::make_unique<Impl>(series_per_plugin)) {}
PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::describe(const std::string& name, const std::string& kind,
                                 const std::string& help) {
  if (kind == "counter") return impl_->describe(name, Kind::counter, help);
  if (kind == "gauge") return impl_->describe(name, Kind::gauge, help);
  if (kind == "histogram") return impl_->describe(name, Kind::histogram, help);
  impl_->misuse(name);
}

void PrometheusMetrics::add(const std::string& name, double n, const ports::Labels& labels) {
  const Series* series = impl_->find(name, labels, Kind::counter);
  if (series == nullptr) return;
  if (series->counter != nullptr && n >= 0 && std::isfinite(n))
    return series->counter->Increment(n);
  if (series->gauge != nullptr) return series->gauge->Increment(n);
  impl_->misuse(name);
}

void PrometheusMetrics::set(const std::string& name, double value, const ports::Labels& labels) {
  const Series* series = impl_->find(name, labels, Kind::gauge);
  if (series == nullptr) return;
  if (series->gauge != nullptr) return series->gauge->Set(value);
  impl_->misuse(name);
}

void PrometheusMetrics::observe(const std::string& name, double value,
                                const ports::Labels& labels) {
  const Series* series = impl_->find(name, labels, Kind::histogram);
  if (series == nullptr) return;
  if (series->histogram != nullptr && !std::isnan(value)) return series->histogram->Observe(value);
  impl_->misuse(name);
}

std::string PrometheusMetrics::text() const { return impl_->text(); }

}  // namespace host::telemetry
