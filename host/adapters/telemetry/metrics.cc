#include "host/adapters/telemetry/metrics.h"

#include <prometheus/check_names.h>

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "host/adapters/telemetry/metrics_text.h"

namespace host::telemetry {
namespace {

/// How much was lost for one reason.
struct Loss {
  CounterSeries count{nullptr};
  LostSeries series{count};
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

  /// The series, or what counts its loss.
  struct Found {
    const Series* series = nullptr;
    LostSeries* lost = nullptr;
  };
  Found find(const std::string& name, const ports::Labels& labels, Kind kind) {
    thread_local ThreadCache cache;
    if (cache.owner != owner_) {
      cache.series.clear();
      cache.owner = owner_;
    }
    const auto known = cache.series.find(KeyView{name, labels});
    if (known != cache.series.end()) return {&known->second};
    const std::lock_guard lock(mutex_);
    const Found made = make(name, labels, kind);
    if (made.series == nullptr) return made;
    return {&cache.series.emplace(Key{name, labels}, *made.series).first->second};
  }

  /// What counts the use of a metric as what it is not.
  LostSeries& misused(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return misuse(name).series;
  }

  std::string text(std::span<const Sample> now) const {
    MetricsText text;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, series] : series_) {
        text.add(key.name, described(key.name), series, key.labels);
      }
      for (const Sample& sample : now) {
        if (!good_labels(sample.labels, Kind::gauge)) continue;
        text.add(sample.name, described(sample.name), sample.value, sample.labels);
      }
      for (const auto& [name, loss] : misuses_) add_loss(text, kMisuse, loss, {{"metric", name}});
      for (const auto& [plugin, share] : plugins_) {
        add_loss(text, kDropped, share.dropped, {{"plugin", plugin}});
      }
    }
    return text.write();
  }

 private:
  /// What one plugin has of the series.
  struct Share {
    std::size_t series = 0;
    Loss dropped;
  };

  /// With mutex_ held, as all below. Null where Prometheus refuses the name.
  Family* family(const std::string& name, Kind kind, const std::string& help) {
    const auto known = families_.find(name);
    if (known != families_.end()) return &known->second;
    if (!prometheus::CheckMetricName(name)) return nullptr;
    return &families_.emplace(name, Family{.kind = kind, .help = help}).first->second;
  }

  Loss& misuse(const std::string& name) {
    return misuses_[prometheus::CheckMetricName(name) ? name : "?"];
  }

  const Family* described(const std::string& name) const {
    const auto known = families_.find(name);
    return known == families_.end() ? nullptr : &known->second;
  }

  void add_loss(MetricsText& text, const char* name, const Loss& loss,
                const ports::Labels& labels) const {
    if (loss.count.value() > 0) text.add(name, described(name), loss.count.value(), labels);
  }

  /// What counts a value that the plugin of these labels has no series for; null: it may have one
  /// more.
  LostSeries* refusal(const ports::Labels& labels) {
    for (const auto& [label, value] : labels) {
      if (label != "plugin") continue;
      Share& share = plugins_[value];
      if (share.series >= cap_) return &share.dropped.series;
      ++share.series;
    }
    return nullptr;
  }

  Found make(const std::string& name, const ports::Labels& labels, Kind kind) {
    const auto known = series_.find(KeyView{name, labels});
    if (known != series_.end()) return {&known->second};
    const Family* of = family(name, kind, "");
    if (of == nullptr || !good_labels(labels, of->kind)) return {nullptr, &misuse(name).series};
    if (LostSeries* dropped = refusal(labels)) return {nullptr, dropped};
    Loss& misused = misuse(name);
    Series series;
    switch (of->kind) {
      case Kind::counter:
        series.counter = &counters_.emplace_back(&misused.count);
        break;
      case Kind::gauge:
        series.gauge = &gauges_.emplace_back();
        break;
      case Kind::histogram:
        series.histogram = &histograms_.emplace_back(bounds_for(name), misused.count);
        break;
    }
    return {&series_.emplace(Key{name, labels}, series).first->second};
  }

  const std::size_t cap_;
  const std::uint64_t owner_;
  mutable std::mutex mutex_;
  // guarded by mutex_; what stands in them stays where it is
  std::unordered_map<std::string, Family> families_;
  SeriesMap series_;
  std::deque<CounterSeries> counters_;
  std::deque<GaugeSeries> gauges_;
  std::deque<HistogramSeries> histograms_;
  std::unordered_map<std::string, Loss> misuses_;   // by metric
  std::unordered_map<std::string, Share> plugins_;  // by the label's value
};

PrometheusMetrics::PrometheusMetrics(std::size_t series_per_plugin)
    : impl_(std::make_unique<Impl>(series_per_plugin)) {}
PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::describe(const std::string& name, const std::string& kind,
                                 const std::string& help) {
  if (kind == "counter") return impl_->describe(name, Kind::counter, help);
  if (kind == "gauge") return impl_->describe(name, Kind::gauge, help);
  if (kind == "histogram") return impl_->describe(name, Kind::histogram, help);
  impl_->misused(name).add(1);
}

void PrometheusMetrics::add(const std::string& name, double n, const ports::Labels& labels) {
  const Impl::Found found = impl_->find(name, labels, Kind::counter);
  if (found.lost != nullptr) return found.lost->add(n);
  if (found.series->counter != nullptr) return found.series->counter->add(n);
  if (found.series->gauge != nullptr) return found.series->gauge->add(n);
  impl_->misused(name).add(n);
}

void PrometheusMetrics::set(const std::string& name, double value, const ports::Labels& labels) {
  gauge(name, labels).set(value);
}

void PrometheusMetrics::observe(const std::string& name, double value,
                                const ports::Labels& labels) {
  histogram(name, labels).observe(value);
}

ports::Counter& PrometheusMetrics::counter(const std::string& name, const ports::Labels& labels) {
  const Impl::Found found = impl_->find(name, labels, Kind::counter);
  if (found.lost != nullptr) return *found.lost;
  if (found.series->counter != nullptr) return *found.series->counter;
  return impl_->misused(name);
}

ports::Gauge& PrometheusMetrics::gauge(const std::string& name, const ports::Labels& labels) {
  const Impl::Found found = impl_->find(name, labels, Kind::gauge);
  if (found.lost != nullptr) return *found.lost;
  if (found.series->gauge != nullptr) return *found.series->gauge;
  return impl_->misused(name);
}

ports::Histogram& PrometheusMetrics::histogram(const std::string& name,
                                               const ports::Labels& labels) {
  const Impl::Found found = impl_->find(name, labels, Kind::histogram);
  if (found.lost != nullptr) return *found.lost;
  if (found.series->histogram != nullptr) return *found.series->histogram;
  return impl_->misused(name);
}

std::string PrometheusMetrics::text(std::span<const Sample> now) const { return impl_->text(now); }

}  // namespace host::telemetry
