#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "host/adapters/kafka/client.h"
#include "host/core/ids.h"

namespace host::kafka {

/// Writes what plugins have read into consumer groups that nobody joins, one a plugin, so that
/// tools that show the lag of groups show theirs, too. The database has the truth: what is written
/// here is some seconds old, and of use to nobody else. A client a group, because the admin request
/// that writes offsets of any group aborts the process in librdkafka 2.0.2 when it times out.
/// Thread-safe.
class Mirror {
 public:
  /// `options` outlives it.
  explicit Mirror(const Options& options);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  void note(const std::string& plugin, const std::string& topic, PartitionNumber partition,
            Offset next);
  /// Writes what is left, if brokers answered the last time. Idempotent.
  void stop();

 private:
  using Offsets = std::map<std::pair<std::string, PartitionNumber>, Offset>;
  void run();
  void write();
  Result<void> write(const std::string& plugin, const Offsets& offsets);
  std::string group_of(const std::string& plugin) const { return options_.group + "." + plugin; }

  const Options& options_;
  /// By plugin, of those that had something to write the last time; of its thread.
  std::map<std::string, ClientHandle> clients_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Offsets> noted_;  // by plugin, guarded by mutex_
  bool stopped_ = false;                  // guarded by mutex_
  bool failed_ = false;                   // the last time; of its thread
  std::thread thread_;
};

}  // namespace host::kafka
