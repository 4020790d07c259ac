#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

#include "host/base/executor.h"
#include "host/base/result.h"

namespace host::runtime {

/// The open asks of this process: who asked is woken directly when the reply is committed here.
/// A reply that nobody waits for is dropped; it stays readable as a row of the store.
/// Thread-safe; answers arrive on the asker's executor.
class Asks {
 public:
  using Callback = UniqueFunction<void(Result<std::string>)>;

  /// Waits for `id`, at most `timeout` (then Error timeout).
  void wait(std::string id, Duration timeout, Executor& executor, Callback callback);
  /// Nobody waits any more; the callback does not come. Of an unknown id: no effect.
  void forget(const std::string& id);
  void reply(const std::string& id, std::string payload);
  /// The question could not be sent.
  void fail(const std::string& id, Error error);

 private:
  struct Open {
    Executor* executor;
    Executor::TimerId timer;
    Callback callback;
  };
  void answer(const std::string& id, Result<std::string> with);

  std::mutex mutex_;
  std::unordered_map<std::string, Open> open_;
};

}  // namespace host::runtime
