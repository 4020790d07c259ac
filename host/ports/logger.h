#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace host::ports {

enum class LogLevel { debug, info, warn, error };

/// Structured log lines. A value is text; the adapter decides how lines look. Thread-safe.
using LogFields = std::vector<std::pair<std::string, std::string>>;

class Logger {
 public:
  virtual ~Logger() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void log(LogLevel level, std::string_view text, const LogFields& fields = {}) = 0;
};

}  // namespace host::ports
