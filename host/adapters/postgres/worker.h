#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/health.h"
#include "host/base/executor.h"
#include "host/base/result.h"
#include "host/base/unique_function.h"
#include "host/ports/logger.h"

namespace host::postgres {

/// A thread with a connection of its own, which works on what is submitted, in order. The
/// connection is made when it is needed and made anew when it is lost; while the database is away,
/// it is tried again with a growing distance, and what comes meanwhile is answered that it is: so
/// nothing piles up. Thread-safe; stop() is idempotent.
class Worker {
 public:
  /// Either a connection that was usable a moment ago, or null and why there is none.
  using Job = UniqueFunction<void(Connection*, const Error*)>;
  struct Settings {
    Destination where;
    Limits limits = {};
    Schema schema = {};  // of unqualified names
    ports::Logger* logger = nullptr;
    Health* health = nullptr;
    Duration stop_within = std::chrono::seconds(5);
  };

  explicit Worker(Settings settings);
  ~Worker();

  /// The job is called exactly once, on the worker's thread; after stop() on the caller's.
  void submit(Job job);
  /// What was submitted is still done, if it is done in time; then the connection is cut.
  void stop();

 private:
  using Steady = std::chrono::steady_clock;

  void loop();
  /// Null: there is none, why_ says why.
  Connection* connection();
  void connect();
  bool no_time() const;

  const Settings settings_;
  // on the thread
  std::optional<Error> why_;
  Steady::time_point again_{};  // not tried before
  Duration distance_{};

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::condition_variable changed_;
  std::deque<Job> queue_;
  bool stopped_ = false;
  bool done_ = false;
  bool cut_ = false;                // no time is left: what is still queued is not done
  std::unique_ptr<Connection> db_;  // set and reset under it; used by the thread without

  std::thread thread_;
};

/// Runs `read` (Connection& -> Result<T>); never throws.
template <class T, class Read>
Result<T> guarded(Connection* db, const Error* why, const std::string& what, Read& read) {
  if (db == nullptr) return *why;
  try {
    return read(*db);
  } catch (const Failure& failure) {
    if (failure.is(kReadOnly)) db->give_up();
    return to_error(failure, what);
  } catch (const std::exception& error) {  // no memory
    return make_error(Error::Code::internal, what + ": " + error.what());
  }
}

/// Runs `read` on the worker and posts the answer to `executor`.
template <class T, class Read, class Callback>
void run_async(Worker& worker, const char* what, Executor& executor, Callback callback, Read read) {
  worker.submit([what, &executor, callback = std::move(callback), read = std::move(read)](
                    Connection* db, const Error* why) mutable {
    executor.post(
        [callback = std::move(callback), answer = guarded<T>(db, why, what, read)]() mutable {
          callback(std::move(answer));
        });
  });
}

}  // namespace host::postgres
