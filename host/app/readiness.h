#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "host/core/http.h"
#include "host/ports/store.h"
#include "host/runtime/shard.h"

namespace host::app {

/// What /readyz answers: ready when every shard that is to be served here was claimed once since
/// the start and the store can be reached and written. Thread-safe.
class Readiness {
 public:
  explicit Readiness(const ports::Store& store) : store_(store) {}

  HttpResponse answer() const;
  /// Told by the control thread until it returns true: every shard has begun. `settled`: no others
  /// are to come.
  bool look_at(bool settled, const std::vector<runtime::ShardStatus>& shards);
  void stopping();

 private:
  const ports::Store& store_;
  mutable std::mutex mutex_;
  bool begun_ = false;                 // guarded by mutex_
  bool stopping_ = false;              // guarded by mutex_
  std::vector<std::string> claiming_;  // guarded by mutex_
};

}  // namespace host::app
