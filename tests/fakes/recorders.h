#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "host/ports/logger.h"
#include "tests/fakes/metrics_by_name.h"

namespace host::fakes {

/// Keeps every log line, for assertions. Thread-safe.
class RecordingLogger : public ports::Logger {
 public:
  struct Line {
    ports::LogLevel level;
    std::string text;
    ports::LogFields fields;

    std::string field(const std::string& name) const;  // "": not there
  };

  bool enabled(ports::LogLevel) const override { return true; }
  void log(ports::LogLevel level, std::string_view text,
           const ports::LogFields& fields = {}) override;

  std::vector<Line> lines() const;
  /// Lines of at least `level` whose text contains `part`.
  std::vector<Line> find(ports::LogLevel level, std::string_view part) const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;  // guarded by mutex_
};

/// Keeps the value of every series: the sum of a counter, the last of a gauge, all of a histogram.
/// Thread-safe.
class RecordingMetrics : public MetricsByName {
 public:
  void describe(const std::string& name, const std::string& kind, const std::string& help) override;
  void add(const std::string& name, double n, const ports::Labels& labels = {}) override;
  void set(const std::string& name, double value, const ports::Labels& labels = {}) override;
  void observe(const std::string& name, double value, const ports::Labels& labels = {}) override;

  /// Of one series; without labels the sum over all series of the name. 0 when there is none.
  double value(const std::string& name, const ports::Labels& labels = {}) const;
  std::vector<double> observed(const std::string& name) const;
  std::string kind(const std::string& name) const;  // "": not described

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> kinds_;                       // guarded by mutex_
  std::map<std::string, std::map<ports::Labels, double>> values_;  // guarded by mutex_
  std::map<std::string, std::vector<double>> observed_;            // guarded by mutex_
};

}  // namespace host::fakes
