#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "host/adapters/postgres/meters.h"
#include "host/base/executor.h"
#include "host/base/unique_function.h"
#include "host/ports/store.h"

namespace host::postgres {

/// A commit on its way to its connection.
struct WaitingCommit {
  std::shared_ptr<const ports::ShardCommit> commit;
  Executor& executor;
  UniqueFunction<void(ports::CommitResult)> callback;
  Stopwatch waited = {};

  void answer(ports::CommitResult result);
};

/// The commits that wait for one connection, in order. A transaction costs a round trip and a sync
/// whatever is in it, so what waits together goes together. Thread-safe.
class CommitQueue {
 public:
  void add(WaitingCommit waiting);
  /// The oldest, and those next to it that can share its transaction: of other shards, without SQL
  /// of plugins and answers, which are refused for reasons of their own, and not too much in all.
  /// Empty: nothing waits.
  std::vector<WaitingCommit> take();

 private:
  std::mutex mutex_;
  std::deque<WaitingCommit> waiting_;  // guarded by mutex_
};

}  // namespace host::postgres
