#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/base/executor.h"
#include "host/base/result.h"
#include "host/ports/store.h"

namespace host::runtime {

/// The open asks of this process: who asked is woken directly when the reply is committed here, and
/// where the store is shared with other processes, soon after it was committed by one of them. A
/// reply that nobody waits for is dropped; it stays readable as a row of the store.
/// Thread-safe; answers arrive on the asker's executor.
class Asks {
 public:
  using Callback = UniqueFunction<void(Result<std::string>)>;

  /// From now on the replies that other processes commit are looked for in `store`: all open asks
  /// with one query, every 20 ms while there are any. Driven by `executor`, until look_no_more().
  void look_in(ports::Store& store, Executor& executor);
  /// Nothing is posted to that executor any more. Also without a look_in() before: no effect.
  void look_no_more();

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
  struct Looking {
    ports::Store& store;
    Executor& executor;
  };
  void answer(const std::string& id, Result<std::string> with);
  void look_soon();
  void look(const std::weak_ptr<Looking>& looking);
  void looked(const std::vector<std::string>& ids,
              Result<std::vector<std::optional<std::string>>> replies);

  std::mutex mutex_;
  // guarded by mutex_
  std::unordered_map<std::string, Open> open_;
  std::shared_ptr<Looking> looking_;  // null: the store is ours alone
  bool look_planned_ = false;         // or a query is on its way
};

}  // namespace host::runtime
