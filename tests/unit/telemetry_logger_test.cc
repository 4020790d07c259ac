#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>
#include <vector>

#include "host/adapters/telemetry/line_cap.h"
#include "host/adapters/telemetry/log_line.h"
#include "host/adapters/telemetry/logger.h"
#include "host/adapters/telemetry/metrics.h"

using namespace host;
using namespace host::telemetry;
using ports::LogLevel;

namespace {

/// A file without a name that takes the lines.
class Paper {
 public:
  Paper() : fd_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) { REQUIRE(fd_ >= 0); }
  ~Paper() { ::close(fd_); }
  int fd() const { return fd_; }
  std::vector<std::string> lines() const {
    std::string all(static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
    REQUIRE(::pread(fd_, all.data(), all.size(), 0) == static_cast<ssize_t>(all.size()));
    std::vector<std::string> out;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = all.find('\n', at);
      out.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }

 private:
  int fd_;
};

LoggerSettings to(const Paper& paper, LogStyle style = LogStyle::automatic) {
  return {.level = LogLevel::debug, .style = style, .fd = paper.fd()};
}

}  // namespace

TEST_CASE("a line of JSON has time, level, message and fields") {
  CHECK(
      json_line(from_micros(1'767'225'600'500'000), LogLevel::warn, "a \"b\"\n",
                {{"key", "k\x1b"}, {"n", "1"}}) ==
      R"({"time":"2026-01-01T00:00:00.5Z","level":"warn","message":"a \"b\"\n","key":"k\u001b","n":"1"})");
}

TEST_CASE("a field that is named like another gets its own name") {
  CHECK(
      json_line(from_micros(0), LogLevel::info, "m", {{"time", "1"}, {"a", "2"}, {"a", "3"}}) ==
      R"({"time":"1970-01-01T00:00:00Z","level":"info","message":"m","time_":"1","a":"2","a_":"3"})");
}

TEST_CASE("a readable line quotes what needs it and escapes what commands a terminal") {
  CHECK(readable_text("text", {{"a", "1"}, {"b", "two words"}, {"c", ""}, {"d", "x=\"y\\"}}) ==
        R"(text a=1 b="two words" c="" d="x=\"y\\")");
  CHECK(readable_text("one\ntwo\x1b[2J", {{"a", "\x1b[2J\n"}}) ==
        "one\n    two\\x1b[2J a=\"\\x1b[2J\\n\"");
}

TEST_CASE("no character commands a terminal, with an escape character or without one") {
  const std::string text =
      "\xC2\x9B"
      "2J \x7F \x9B"
      "2J \xC3\xA9 \xC2\xA0";
  CHECK(readable_text(text, {{"a", "\xC2\x9B"}, {"b", "\xC3\xA9"}}) ==
        "\\xc2\\x9b2J \\x7f \\x9b2J \xC3\xA9 \xC2\xA0 a=\"\\xc2\\x9b\" b=\xC3\xA9");
  CHECK(json_line(from_micros(0), LogLevel::info, text, {})
            .find("\\u009b2J \\u007f \\ufffd2J \xC3\xA9 \xC2\xA0") != std::string::npos);
}

TEST_CASE("what is no terminal gets JSON lines") {
  Paper paper;
  make_logger(to(paper))->log(LogLevel::info, "started", {{"port", "8080"}});
  REQUIRE(paper.lines().size() == 1);
  CHECK(paper.lines()[0].starts_with("{\"time\":\"20"));
  CHECK(paper.lines()[0].ends_with(R"(,"level":"info","message":"started","port":"8080"})"));
}

TEST_CASE("people get time, level, text and fields, in colour if wanted") {
  Paper plain;
  make_logger(to(plain, LogStyle::readable))->log(LogLevel::error, "100% {} gone", {{"a", "1"}});
  REQUIRE(plain.lines().size() == 1);
  CHECK(plain.lines()[0].substr(12) == " error   100% {} gone a=1");
  Paper coloured;
  make_logger(to(coloured, LogStyle::coloured))->log(LogLevel::error, "gone");
  CHECK(coloured.lines()[0].substr(12) == " \x1b[1;31merror  \x1b[0m gone");
}

TEST_CASE("a terminal gets colours by itself") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const int end = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY);
  REQUIRE(end >= 0);
  make_logger({.level = LogLevel::info, .style = LogStyle::automatic, .fd = end})
      ->log(LogLevel::warn, "hello");
  char bytes[200] = {};
  REQUIRE(::read(terminal, bytes, sizeof bytes - 1) > 0);
  CHECK(std::string(bytes).find("\x1b[33m") != std::string::npos);
  ::close(end);
  ::close(terminal);
}

TEST_CASE("lines below the level are not written") {
  Paper paper;
  LoggerSettings settings = to(paper);
  settings.level = LogLevel::warn;
  const auto logger = make_logger(settings);
  CHECK_FALSE(logger->enabled(LogLevel::info));
  CHECK(logger->enabled(LogLevel::warn));
  logger->log(LogLevel::info, "no");
  logger->log(LogLevel::warn, "yes");
  CHECK(paper.lines().size() == 1);
}

TEST_CASE("a cap lets its number through each second and counts the others") {
  LineCap cap(2);
  LineCap::Instant now{std::chrono::hours(1)};
  CHECK(cap.ask(now).let_through);
  CHECK(cap.ask(now).let_through);
  CHECK_FALSE(cap.ask(now).let_through);
  CHECK_FALSE(cap.ask(now + std::chrono::milliseconds(999)).let_through);
  const LineCap::Verdict next = cap.ask(now + std::chrono::seconds(1));
  CHECK(next.let_through);
  CHECK(next.left_out == 2);
  CHECK(cap.ask(now + std::chrono::seconds(1)).left_out == 0);
  CHECK_FALSE(cap.ask(now + std::chrono::seconds(1)).let_through);
  CHECK(cap.rest() == 1);
  CHECK(cap.rest() == 0);
}

TEST_CASE("what is left out is told at the end, and warnings are never left out") {
  Paper paper;
  LoggerSettings settings = to(paper);
  settings.lines_per_second = 0;
  {
    const auto logger = make_logger(settings);
    logger->log(LogLevel::info, "left out");
    logger->log(LogLevel::warn, "told");
  }
  REQUIRE(paper.lines().size() == 2);
  CHECK(paper.lines()[0].find("told") != std::string::npos);
  CHECK(paper.lines()[1].find(R"("lines":"1")") != std::string::npos);
}

TEST_CASE("lines are counted by level, and those that are left out") {
  Paper paper;
  PrometheusMetrics metrics;
  LoggerSettings settings = to(paper);
  settings.level = LogLevel::info;
  settings.lines_per_second = 2;
  settings.metrics = &metrics;
  {
    const auto logger = make_logger(settings);
    logger->log(LogLevel::debug, "not asked for");
    for (int i = 0; i < 5; ++i) logger->log(LogLevel::info, "said");
    logger->log(LogLevel::error, "said");
  }
  const auto has = [text = metrics.text()](const std::string& line) {
    return text.find(line + "\n") != std::string::npos;
  };
  CHECK(has("host_log_lines_total{level=\"debug\"} 0"));
  CHECK(has("host_log_lines_total{level=\"info\"} 2"));
  CHECK(has("host_log_lines_total{level=\"warn\"} 1"));  // that lines were left out
  CHECK(has("host_log_lines_total{level=\"error\"} 1"));
  CHECK(has("host_log_lines_left_out_total 3"));
}

TEST_CASE("lines of many threads do not mix") {
  Paper paper;
  {
    const auto logger = make_logger(to(paper));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          logger->log(LogLevel::warn, std::string(100, static_cast<char>('a' + t)));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const auto lines = paper.lines();
  CHECK(lines.size() == 400);
  for (const std::string& line : lines) {
    const char c = line[line.size() - 3];
    CHECK(line.ends_with("\"message\":\"" + std::string(100, c) + "\"}"));
  }
}

TEST_CASE("a reader that has gone harms nobody") {
  const auto logger = make_logger({.level = LogLevel::info, .style = LogStyle::json, .fd = -1});
  CHECK_NOTHROW(logger->log(LogLevel::error, "to nobody"));
}

TEST_CASE("a log level is one of four words") {
  CHECK(*parse_log_level("debug") == LogLevel::debug);
  CHECK(*parse_log_level("error") == LogLevel::error);
  CHECK_FALSE(parse_log_level("INFO"));
  CHECK_FALSE(parse_log_level(""));
}
