#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "host/ports/clock.h"
#include "host/ports/logger.h"
#include "host/ports/metrics.h"
#include "host/ports/script_engine.h"
#include "tests/fakes/metrics_by_name.h"

namespace host::bench {

/// Says why on standard error and ends the process with 3: a bench cannot be set up.
[[noreturn]] void give_up(const std::string& why);

/// "--name value" pairs of the command line. A wrong call ends the process with 2. Immutable.
class Options {
 public:
  Options(int count, char** arguments);
  std::string text(const std::string& name) const;  // must be given
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::size_t number(const std::string& name, std::size_t otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

/// What was measured: one line of JSON on standard output, which the driver reads.
class Figures {
 public:
  void add(const std::string& name, double value) { values_.emplace_back(name, value); }
  /// p50, p99, p999 and the largest of `seconds`, in milliseconds, with `name` before them.
  void add_quantiles(const std::string& name, std::vector<double> seconds);
  void print() const;

 private:
  std::vector<std::pair<std::string, double>> values_;
};

class SystemClock final : public ports::Clock {
 public:
  Time now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

/// Warnings and errors go to standard error. Thread-safe.
class StderrLogger final : public ports::Logger {
 public:
  bool enabled(ports::LogLevel level) const override { return level >= ports::LogLevel::warn; }
  void log(ports::LogLevel level, std::string_view text, const ports::LogFields& fields) override;
};

/// Counts what the runtime tells its metrics: messages whose commit is done, and each commit.
/// Thread-safe.
class Meter final : public fakes::MetricsByName {
 public:
  void describe(const std::string&, const std::string&, const std::string&) override {}
  void add(const std::string& name, double n, const ports::Labels& labels) override;
  void set(const std::string&, double, const ports::Labels&) override {}
  void observe(const std::string& name, double value, const ports::Labels& labels) override;

  std::size_t handled() const { return handled_; }
  /// Forgets the commits so far.
  void restart();
  struct Commits {
    std::vector<double> seconds;   // how long each took
    std::vector<double> messages;  // how many messages it finished
  };
  Commits commits() const;

 private:
  std::atomic<std::size_t> handled_{0};
  mutable std::mutex mutex_;
  Commits commits_;  // guarded by mutex_
};

/// Seconds of the wall clock, of the whole process' CPU and of the calling thread's CPU.
double seconds_now();
double process_cpu_seconds();
double thread_cpu_seconds();
double mean(const std::vector<double>& values);

/// Loads the plugin at `path` as a host does; problems end the process. What it is given outlives
/// the revision.
std::shared_ptr<const ports::Revision> load(const std::string& path, ports::Logger& logger,
                                            ports::Metrics& metrics);

}  // namespace host::bench
