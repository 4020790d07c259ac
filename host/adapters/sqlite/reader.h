#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "host/adapters/sqlite/connection.h"
#include "host/base/executor.h"
#include "host/base/result.h"
#include "host/base/unique_function.h"

namespace host::sqlite {

/// Reads beside the writer: a connection and a thread of its own. Without a thread it borrows the
/// writer's connection under its mutex and reads before submit() returns.
/// Thread-safe.
class Reader {
 public:
  /// Null: stopped, answer that.
  using Job = UniqueFunction<void(Connection*)>;

  explicit Reader(std::unique_ptr<Connection> own);
  Reader(Connection& borrowed, std::recursive_mutex& mutex);
  ~Reader();

  void submit(Job job);
  /// What was submitted is still answered. Idempotent.
  void stop();

 private:
  void loop();

  std::unique_ptr<Connection> own_;
  Connection* db_;
  std::recursive_mutex* db_mutex_ = nullptr;

  std::mutex mutex_;
  // guarded by mutex_
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool stopped_ = false;

  std::thread thread_;
};

/// Runs `read` (Connection& -> Result<T>) in one snapshot; never throws.
template <class T, class Read>
Result<T> read_in_snapshot(Connection* db, const char* what, Read& read) {
  if (db == nullptr) return retryable_error(Error::Code::unavailable, "the store is stopped");
  try {
    const Snapshot snapshot(*db);
    return read(*db);
  } catch (const SqlFailure& failure) {
    return to_error(failure, what);
  }
}

/// Reads on `reader` and posts the answer to `executor`.
template <class T, class Read, class Callback>
void read_async(Reader& reader, const char* what, Executor& executor, Callback callback,
                Read read) {
  reader.submit([what, &executor, callback = std::move(callback),
                 read = std::move(read)](Connection* db) mutable {
    executor.post(
        [callback = std::move(callback), answer = read_in_snapshot<T>(db, what, read)]() mutable {
          callback(std::move(answer));
        });
  });
}

/// Reads on `reader` and waits for the answer. Not from a reader's or the writer's own thread.
template <class T, class Read>
Result<T> read_now(Reader& reader, const char* what, Read read) {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<Result<T>> answer;
  reader.submit([&](Connection* db) {
    Result<T> result = read_in_snapshot<T>(db, what, read);
    const std::lock_guard lock(mutex);
    answer = std::move(result);
    done.notify_one();
  });
  std::unique_lock lock(mutex);
  done.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

}  // namespace host::sqlite
