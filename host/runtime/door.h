#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/core/unit_of_work.h"
#include "host/runtime/environment.h"
#include "host/runtime/meters.h"
#include "host/runtime/outbox.h"

namespace host::runtime {

/// A shard without input: what an HTTP handler emits as several messages goes through its lane's
/// door, all or none, in one commit. Only on its lane.
class Door {
 public:
  /// Committed, or why not: unavailable (nothing was sent), conflict (the request was answered
  /// before, nothing was sent), timeout (the outcome is unknown).
  using Callback = UniqueFunction<void(Result<void>)>;

  Door(ShardRef ref, const Environment& environment, Executor& lane);
  ~Door();

  void start();
  /// Whether it would take messages now; where not, requests are answered 503.
  bool open() const { return running_ && !outbox_.full(); }
  /// `headers` go with every message: correlation, trace, revision. `answer` is kept with them.
  void send(std::vector<Emit> emits, Headers headers, std::optional<ports::KeptAnswer> answer,
            Callback callback);

 private:
  struct Waiting {
    std::vector<Emit> emits;
    Headers headers;
    std::optional<ports::KeptAnswer> answer;
    Callback callback;
    std::size_t bytes = 0;
  };
  void claim();
  void submit();
  void commit_again();
  void settle(ports::CommitResult result);
  void take_back(const ports::ShardCommit& commit);
  void answered_before(ports::CommitResult result);
  void fail_all(const Error& error);
  ports::Append record_of(const Emit& emit, const Headers& headers, std::int64_t seq) const;

  const ShardRef ref_;
  const Environment& env_;
  Executor& lane_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  bool running_ = false;
  std::int64_t epoch_ = 0, commit_no_ = 0, seq_ = 0;
  Outbox outbox_;
  Traffic sent_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::vector<Waiting> in_flight_;
  std::shared_ptr<ports::ShardCommit> commit_;  // in flight
  std::vector<ports::DeadLetter> refused_;      // by the log; ride on the next commit
  bool scheduled_ = false;
};

}  // namespace host::runtime
