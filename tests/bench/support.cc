#include "tests/bench/support.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "host/app/load_revision.h"

namespace host::bench {
namespace {

constexpr std::size_t kLuaMemory = std::size_t{128} << 20;

[[noreturn]] void misuse(const std::string& why) {
  std::fprintf(stderr, "host_bench: %s\n", why.c_str());
  std::exit(2);
}

double to_seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double cpu_of(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return to_seconds(usage.ru_utime) + to_seconds(usage.ru_stime);
}

}  // namespace

void give_up(const std::string& why) {
  std::fprintf(stderr, "host_bench: %s\n", why.c_str());
  // Threads of what was set up so far may still run.
  std::_Exit(3);
}

Options::Options(int count, char** arguments) {
  for (int i = 0; i < count; i += 2) {
    const std::string name = arguments[i];
    if (!name.starts_with("--") || i + 1 == count) misuse("options are --name value, not " + name);
    values_[name.substr(2)] = arguments[i + 1];
  }
}

std::string Options::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) misuse("--" + name + " is missing");
  return found->second;
}

std::string Options::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

std::size_t Options::number(const std::string& name, std::size_t otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  const std::string& given = found->second;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error != std::errc() || end != given.data() + given.size() || value == 0) {
    misuse("--" + name + " needs a whole number above 0, not " + given);
  }
  return value;
}

void Figures::add_quantiles(const std::string& name, std::vector<double> seconds) {
  if (seconds.empty()) return;
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    const auto place = static_cast<std::size_t>(share * static_cast<double>(seconds.size()));
    return seconds[std::min(place, seconds.size() - 1)] * 1e3;
  };
  add(name + "_p50_ms", at(0.5));
  add(name + "_p99_ms", at(0.99));
  add(name + "_p999_ms", at(0.999));
  add(name + "_max_ms", seconds.back() * 1e3);
}

void Figures::print() const {
  std::string line = "{";
  for (const auto& [name, value] : values_) {
    char number[32];
    std::snprintf(number, sizeof number, "%.6g", value);
    line += (line.size() > 1 ? ", \"" : "\"") + name + "\": " + number;
  }
  std::printf("%s}\n", line.c_str());
  std::fflush(stdout);
}

void StderrLogger::log(ports::LogLevel level, std::string_view text,
                       const ports::LogFields& fields) {
  if (!enabled(level)) return;
  std::string line(text);
  for (const auto& [name, value] : fields) line += " " + name + "=" + value;
  std::fprintf(stderr, "host_bench: %s\n", line.c_str());
}

void Meter::add(const std::string& name, double n, const ports::Labels&) {
  if (name == "host_messages_handled_total") handled_ += static_cast<std::size_t>(n);
}

void Meter::observe(const std::string& name, double value, const ports::Labels&) {
  const std::lock_guard lock(mutex_);
  if (name == "host_commit_seconds") commits_.seconds.push_back(value);
  if (name == "host_commit_messages") commits_.messages.push_back(value);
}

void Meter::restart() {
  const std::lock_guard lock(mutex_);
  commits_ = {};
}

Meter::Commits Meter::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double process_cpu_seconds() { return cpu_of(RUSAGE_SELF); }
double thread_cpu_seconds() { return cpu_of(RUSAGE_THREAD); }

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::shared_ptr<const ports::Revision> load(const std::string& path, ports::Logger& logger,
                                            ports::Metrics& metrics) {
  script::LoadRequest request;
  request.file = path;
  runtime::Loaded loaded = app::revision_loader(kLuaMemory, logger, metrics)(request);
  if (loaded.revision) return loaded.revision;
  std::string why = "the plugin does not load";
  for (const Problem& problem : loaded.problems) why += "\n  " + problem.to_string();
  give_up(why);
}

}  // namespace host::bench
