#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "host/base/unique_function.h"
#include "host/ports/static_files.h"

namespace host::files {

/// Files of the disk, read on a thread of its own. Thread-safe. Executors that were given to calls
/// outlive it.
class StaticFolder final : public ports::StaticFiles {
 public:
  StaticFolder();
  ~StaticFolder() override;
  StaticFolder(const StaticFolder&) = delete;
  StaticFolder& operator=(const StaticFolder&) = delete;

  void open(Wanted wanted, Executor& executor,
            UniqueFunction<void(Result<Found>)> callback) override;
  void read(std::shared_ptr<const ports::StaticFile> file, std::uint64_t offset, std::size_t n,
            Executor& executor, UniqueFunction<void(Result<std::string>)> callback) override;
  /// What was asked before is still answered. Idempotent.
  void stop();

 private:
  void submit(UniqueFunction<void(bool stopped)> job);
  void loop();

  std::mutex mutex_;
  // guarded by mutex_
  std::condition_variable wake_;
  std::deque<UniqueFunction<void(bool)>> jobs_;
  bool stopped_ = false;
  bool begun_ = false;  // the thread: only where a route has files

  std::thread thread_;
};

}  // namespace host::files
