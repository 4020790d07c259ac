#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "host/adapters/sqlite/connection.h"
#include "host/adapters/sqlite/database.h"
#include "host/adapters/sqlite/log_index.h"
#include "host/adapters/sqlite/overlays.h"
#include "host/adapters/sqlite/writer.h"

namespace host::sqlite {

/// Beside the commit path: carries the write-ahead log over into the file (passively, from a
/// connection of its own), brings the tables of idle shards up to date, and runs retention now and
/// then. A thread of its own; stop() is
/// idempotent and comes before the writer's.
class Housekeeper {
 public:
  Housekeeper(std::unique_ptr<Connection> db, Writer& writer, LogIndex& index, Overlays& overlays,
              const Options& options, const Meters& meters);
  ~Housekeeper();
  void stop();

 private:
  void loop();
  void checkpoint_wal();
  void say(const char* what, const Result<void>& done);

  std::unique_ptr<Connection> db_;
  Writer& writer_;
  LogIndex& index_;
  Overlays& overlays_;
  const Options& options_;
  const Meters& meters_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;  // guarded by mutex_

  std::thread thread_;
};

}  // namespace host::sqlite
