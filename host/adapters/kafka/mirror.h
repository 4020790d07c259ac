#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "host/adapters/kafka/topics.h"

namespace host::kafka {

/// Writes what plugins have read into consumer groups that nobody joins, one a plugin, so that
/// tools that show the lag of groups show theirs, too. The database has the truth: what is written
/// here is some seconds old, and of use to nobody else. Thread-safe.
class Mirror {
 public:
  /// Both outlive it.
  Mirror(const Options& options, Topics& topics);
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

  const Options& options_;
  Topics& topics_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Offsets> noted_;  // by plugin, guarded by mutex_
  bool stopped_ = false;                  // guarded by mutex_
  bool failed_ = false;                   // the last time; of its thread
  std::thread thread_;
};

}  // namespace host::kafka
