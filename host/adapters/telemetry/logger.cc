#include "host/adapters/telemetry/logger.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include "host/adapters/telemetry/line_cap.h"
#include "host/adapters/telemetry/log_line.h"

namespace host::telemetry {
namespace {

spdlog::level::level_enum spd_level(ports::LogLevel level) {
  switch (level) {
    case ports::LogLevel::debug:
      return spdlog::level::debug;
    case ports::LogLevel::info:
      return spdlog::level::info;
    case ports::LogLevel::warn:
      return spdlog::level::warn;
    case ports::LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

std::string_view colour(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "\x1b[2m";
    case spdlog::level::info:
      return "\x1b[32m";
    case spdlog::level::warn:
      return "\x1b[33m";
    default:
      return "\x1b[1;31m";
  }
}

/// Puts each line on a file descriptor by one write.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  DescriptorSink(int fd, bool coloured) : fd_(fd), coloured_(coloured) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    std::string line(formatted.data(), formatted.size());
    if (coloured_ && message.color_range_end > message.color_range_start) {
      line.insert(message.color_range_end, "\x1b[0m");
      line.insert(message.color_range_start, colour(message.level));
    }
    std::string_view rest = line;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd_, rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // nobody is left to be told
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void flush_() override {}

  const int fd_;
  const bool coloured_;
};

class SpdLogger final : public ports::Logger {
 public:
  SpdLogger(const LoggerSettings& settings, LogStyle style)
      : json_(style == LogStyle::json),
        level_(settings.level),
        cap_(settings.lines_per_second),
        log_("host", std::make_shared<DescriptorSink>(settings.fd, style == LogStyle::coloured)) {
    log_.set_level(spd_level(settings.level));
    if (settings.metrics != nullptr) count_in(*settings.metrics);
    // The line feed is ours; level names are spdlog's short ones, made as wide as the widest.
    log_.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        json_ ? "%v" : "%H:%M:%S.%e %^%-7l%$ %v", spdlog::pattern_time_type::local, "\n"));
    log_.set_error_handler([](const std::string&) {});
  }

  ~SpdLogger() override { tell_left_out(cap_.rest()); }

  bool enabled(ports::LogLevel level) const override { return level >= level_; }

  void log(ports::LogLevel level, std::string_view text, const ports::LogFields& fields) override {
    if (!enabled(level)) return;
    if (level <= ports::LogLevel::info) {
      const LineCap::Verdict verdict = cap_.ask(std::chrono::steady_clock::now());
      tell_left_out(verdict.left_out);
      if (!verdict.let_through) {
        if (left_out_ != nullptr) left_out_->add(1);
        return;
      }
    }
    write(level, text, fields);
  }

 private:
  void count_in(ports::Metrics& metrics) {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const auto level = static_cast<ports::LogLevel>(i);
      lines_[i] = &metrics.counter("host_log_lines_total", {{"level", level_name(level)}});
    }
    left_out_ = &metrics.counter("host_log_lines_left_out_total");
  }

  void tell_left_out(std::uint64_t lines) {
    if (lines == 0) return;
    write(ports::LogLevel::warn, "log lines were left out: too many in a second",
          {{"lines", std::to_string(lines)}});
  }

  void write(ports::LogLevel level, std::string_view text, const ports::LogFields& fields) {
    if (ports::Counter* lines = lines_[static_cast<std::size_t>(level)]) lines->add(1);
    try {
      const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
      const std::string line =
          json_ ? json_line(now, level, text, fields) : readable_text(text, fields);
      log_.log(spd_level(level), spdlog::string_view_t(line.data(), line.size()));
    } catch (const std::exception&) {
      // Out of memory, at most: whoever logs must not fail by it.
    }
  }

  const bool json_;
  const ports::LogLevel level_;
  LineCap cap_;
  spdlog::logger log_;
  std::array<ports::Counter*, 4> lines_{};  // by level; null: not counted
  ports::Counter* left_out_ = nullptr;
};

}  // namespace

Result<ports::LogLevel> parse_log_level(std::string_view name) {
  for (const auto level : {ports::LogLevel::debug, ports::LogLevel::info, ports::LogLevel::warn,
                           ports::LogLevel::error}) {
    if (name == level_name(level)) return level;
  }
  return make_error(Error::Code::invalid, "\"" + std::string(name) + "\" is no log level",
                    "one of debug, info, warn, error");
}

std::unique_ptr<ports::Logger> make_logger(const LoggerSettings& settings) {
  LogStyle style = settings.style;
  if (style == LogStyle::automatic) {
    style = ::isatty(settings.fd) == 1 ? LogStyle::coloured : LogStyle::json;
  }
  return std::make_unique<SpdLogger>(settings, style);
}

}  // namespace host::telemetry
