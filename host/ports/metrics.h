#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace host::ports {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Counts and measures. Thread-safe; add, set and observe do not block.
/// Names are the field's: snake_case, counters end in _total, seconds and bytes as units.
/// At most 1,000 series a plugin label; what is above is dropped and counted in
/// host_metric_series_dropped_total.
class Metrics {
 public:
  virtual ~Metrics() = default;
  virtual void describe(const std::string& name, const std::string& kind,
                        const std::string& help) = 0;  // kind: counter | gauge | histogram
  virtual void add(const std::string& name, double n, const Labels& labels = {}) = 0;
  virtual void set(const std::string& name, double value, const Labels& labels = {}) = 0;
  virtual void observe(const std::string& name, double value, const Labels& labels = {}) = 0;
};

}  // namespace host::ports
