#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/core/message.h"
#include "host/ports/metrics.h"

namespace host::runtime {

/// Messages of one plugin by topic, one way: what comes in or what goes out. Counts in plain
/// numbers while messages pass; flush() hands them over. Only on its lane.
class Traffic {
 public:
  enum class Way { taken, sent };
  Traffic(ports::Metrics& metrics, std::string plugin, Way way);

  /// `bytes` of its payload.
  void count(const std::string& topic, std::size_t bytes) {
    if (last_ == nullptr || last_topic_ != topic) find(topic);
    ++last_->messages;
    last_->bytes += static_cast<double>(bytes);
  }
  void flush();
  /// For who sends one now and then, and has no moment to hand it over.
  void count_now(const std::string& topic, std::size_t bytes);

 private:
  struct Flow {
    ports::Counter& messages_total;
    ports::Counter& bytes_total;
    double messages = 0, bytes = 0;
  };
  void find(const std::string& topic);

  ports::Metrics& metrics_;
  const std::string plugin_;
  const Way way_;
  std::map<std::string, Flow, std::less<>> flows_;
  std::string_view last_topic_;
  Flow* last_ = nullptr;
};

/// How long the handlers of one plugin held their lane: the wall time of a call's turns, without
/// what it waited for in between. Only on its lane.
class HandlerTimes {
 public:
  HandlerTimes(ports::Metrics& metrics, std::string plugin);

  void count(std::string_view kind, const std::string& handler, double seconds) {
    if (last_ == nullptr || last_kind_ != kind || last_handler_ != handler) find(kind, handler);
    last_->seconds.push_back(seconds);
  }
  void flush();
  void count_now(std::string_view kind, const std::string& handler, double seconds);

 private:
  struct Times {
    ports::Histogram& histogram;
    std::vector<double> seconds;
  };
  void find(std::string_view kind, const std::string& handler);

  ports::Metrics& metrics_;
  const std::string plugin_;
  std::map<std::pair<std::string, std::string>, Times> times_;
  std::string_view last_kind_, last_handler_;
  Times* last_ = nullptr;
};

/// "topic", "timer" or "every".
std::string_view kind_of(Message::Kind kind);

/// Adds the wall time of a turn to what its call took so far.
class Turn {
 public:
  explicit Turn(double& seconds) : seconds_(seconds) {}
  ~Turn() { seconds_ += std::chrono::duration<double>(Clock::now() - began_).count(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  const Clock::time_point began_ = Clock::now();
};

}  // namespace host::runtime
