#pragma once

#include <mutex>
#include <set>
#include <vector>

namespace host::postgres {

/// The server's processes that work for this one. Thread-safe.
class Backends {
 public:
  void add(int pid) {
    const std::lock_guard lock(mutex_);
    pids_.insert(pid);
  }
  void remove(int pid) {
    const std::lock_guard lock(mutex_);
    pids_.erase(pid);
  }
  std::vector<int> all() const {
    const std::lock_guard lock(mutex_);
    return {pids_.begin(), pids_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::set<int> pids_;  // guarded by mutex_
};

}  // namespace host::postgres
