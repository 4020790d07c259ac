#pragma once

#include <mutex>
#include <string>
#include <utility>

namespace host::postgres {

/// What is wrong with the database, as those who work on it found it last. Thread-safe.
class Health {
 public:
  /// Of connecting and answering at all. Empty: it does.
  void set_reachable(std::string problem) {
    const std::lock_guard lock(mutex_);
    away_ = std::move(problem);
  }
  /// Of the last commit. Empty: it was written.
  void set_written(std::string problem) {
    const std::lock_guard lock(mutex_);
    unwritten_ = std::move(problem);
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    if (stopped_) return "the store is stopped";
    return away_.empty() ? unwritten_ : away_;
  }
  bool unwritten() const {
    const std::lock_guard lock(mutex_);
    return !unwritten_.empty();
  }

 private:
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::string away_;
  std::string unwritten_;
  bool stopped_ = false;
};

}  // namespace host::postgres
