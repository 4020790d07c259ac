#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "host/adapters/postgres/conninfo.h"

namespace host::postgres {

/// A thread with a connection of its own that waits for what others notify of on one channel. What
/// is notified while there is no connection is not heard; when there is one again, that counts as
/// heard. Thread-safe; stop() is idempotent.
class Notices {
 public:
  /// `heard` runs on its thread, and must not block.
  Notices(Destination where, Limits limits, std::string channel, std::function<void()> heard);
  ~Notices();
  void stop();

 private:
  void loop();
  void listen();
  bool stopped() const;

  const Destination where_;
  const Limits limits_;
  const std::string channel_;
  const std::function<void()> heard_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace host::postgres
