#pragma once

#include <atomic>

namespace host::sqlite_tests {

/// A disk under SQLite that fails on demand: while one lives, files that are opened go through it.
/// One at a time.
class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  void fill() { full = true; }
  void make_room() { full = false; }

  static inline std::atomic<bool> full = false;              // writes say that there is no room
  static inline std::atomic<bool> no_shared_memory = false;  // of files that are opened from now on
  static inline std::atomic<int> failing_syncs = 0;          // so many syncs of a log fail
  /// The process ends itself, as if killed, before its so many-th write, sync or truncation; 0:
  /// never.
  static inline std::atomic<int> writes_to_live = 0;
  static constexpr int kCutOff = 77;  // its exit status
};

}  // namespace host::sqlite_tests
