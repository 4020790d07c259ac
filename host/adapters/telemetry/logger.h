#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "host/base/result.h"
#include "host/ports/logger.h"
#include "host/ports/metrics.h"

namespace host::telemetry {

enum class LogStyle {
  automatic,  // readable on a terminal, else JSON
  readable,   // "12:00:00.123 info  text key=value"
  coloured,   // the same, with the level in colour
  json,       // {"time":"2026-11-21T12:00:00.5Z","level":"info","message":"text","key":"value"}
};

struct LoggerSettings {
  ports::LogLevel level = ports::LogLevel::info;
  LogStyle style = LogStyle::automatic;
  int fd = 2;  // borrowed; standard error, since standard output belongs to the commands
  /// Of lines at info and below; what is left out is counted and told in a line of its own.
  std::uint64_t lines_per_second = 1000;
  ports::Metrics* metrics = nullptr;  // outlives the logger; counts lines, and those left out
};

/// "debug", "info", "warn", "error", as --log-level takes them. Error: invalid.
Result<ports::LogLevel> parse_log_level(std::string_view name);

/// Writes structured lines. Every line is one write, so lines of several processes on one pipe do
/// not mix. Control characters are escaped: no text can forge a line or command a terminal. In JSON
/// a field that is named like one of ours, or twice, gets "_" behind its name.
/// Never throws; a line that cannot be written is lost.
/// Thread-safe.
std::unique_ptr<ports::Logger> make_logger(const LoggerSettings& settings = {});

}  // namespace host::telemetry
