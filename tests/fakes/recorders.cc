#include "tests/fakes/recorders.h"

namespace host::fakes {

std::string RecordingLogger::Line::field(const std::string& name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

void RecordingLogger::log(ports::LogLevel level, std::string_view text,
                          const ports::LogFields& fields) {
  std::lock_guard lock(mutex_);
  lines_.push_back({level, std::string(text), fields});
}

std::vector<RecordingLogger::Line> RecordingLogger::lines() const {
  std::lock_guard lock(mutex_);
  return lines_;
}

std::vector<RecordingLogger::Line> RecordingLogger::find(ports::LogLevel level,
                                                         std::string_view part) const {
  std::lock_guard lock(mutex_);
  std::vector<Line> found;
  for (const Line& line : lines_) {
    if (line.level >= level && line.text.find(part) != std::string::npos) found.push_back(line);
  }
  return found;
}

void RecordingLogger::clear() {
  std::lock_guard lock(mutex_);
  lines_.clear();
}

void RecordingMetrics::describe(const std::string& name, const std::string& kind,
                                const std::string&) {
  std::lock_guard lock(mutex_);
  kinds_[name] = kind;
}

void RecordingMetrics::add(const std::string& name, double n, const ports::Labels& labels) {
  std::lock_guard lock(mutex_);
  values_[name][labels] += n;
}

void RecordingMetrics::set(const std::string& name, double value, const ports::Labels& labels) {
  std::lock_guard lock(mutex_);
  values_[name][labels] = value;
}

void RecordingMetrics::observe(const std::string& name, double value, const ports::Labels&) {
  std::lock_guard lock(mutex_);
  observed_[name].push_back(value);
}

double RecordingMetrics::value(const std::string& name, const ports::Labels& labels) const {
  std::lock_guard lock(mutex_);
  const auto found = values_.find(name);
  if (found == values_.end()) return 0;
  double sum = 0;
  for (const auto& [series, value] : found->second) {
    if (labels.empty() || series == labels) sum += value;
  }
  return sum;
}

std::vector<double> RecordingMetrics::observed(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = observed_.find(name);
  return found == observed_.end() ? std::vector<double>{} : found->second;
}

std::string RecordingMetrics::kind(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = kinds_.find(name);
  return found == kinds_.end() ? "" : found->second;
}

}  // namespace host::fakes
