#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace host::telemetry {

/// Lets so many lines a second through, and counts the others. Thread-safe.
class LineCap {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  explicit LineCap(std::uint64_t per_second) : per_second_(per_second) {}

  struct Verdict {
    bool let_through = true;
    std::uint64_t left_out = 0;  // of the seconds before, to be told once
  };
  Verdict ask(Instant now) {
    const std::lock_guard lock(mutex_);
    Verdict verdict;
    if (now - began_ >= std::chrono::seconds(1)) {
      began_ = now;
      count_ = 0;
      verdict.left_out = take();
    }
    verdict.let_through = count_ < per_second_;
    ++(verdict.let_through ? count_ : left_out_);
    return verdict;
  }
  /// What was left out and is not told yet.
  std::uint64_t rest() {
    const std::lock_guard lock(mutex_);
    return take();
  }

 private:
  std::uint64_t take() {
    const std::uint64_t n = left_out_;
    left_out_ = 0;
    return n;
  }

  const std::uint64_t per_second_;
  std::mutex mutex_;
  Instant began_{};             // guarded by mutex_
  std::uint64_t count_ = 0;     // guarded by mutex_
  std::uint64_t left_out_ = 0;  // guarded by mutex_
};

}  // namespace host::telemetry
