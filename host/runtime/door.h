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

  /// Told when it was fenced, or its claim or commit was not answered: with it the door is closed
  /// then, until start() claims it anew. Without it does so by itself.
  using Lost = std::function<void()>;
  /// Whether all that was committed is sent, and the store knows.
  using Stopped = UniqueFunction<void(bool clean)>;

  Door(ShardRef ref, const Environment& environment, Executor& lane, Lost lost = nullptr);
  ~Door();

  void start();
  /// As another door from now on. What waits for the one before is refused.
  void start(ShardRef ref);
  /// Takes nothing more, commits what it took, brings it to the log, then calls `done`; at the
  /// latest at `deadline`. Then it is closed.
  void stop(Time deadline, Stopped done);
  /// Closed at once: what waits or is in flight is refused.
  void close();
  /// Whether it would take messages now; where not, requests are answered 503.
  bool open() const { return running_ && !stopping_ && !outbox_.full(); }
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
  void claimed(Result<ports::ShardImage> image);
  void refuse_waiting(const Error& error);
  void check_stopped();
  void end_stop(bool clean);
  void submit();
  void commit_again();
  void settle(ports::CommitResult result);
  void take_back(const ports::ShardCommit& commit);
  void answered_before(ports::CommitResult result);
  void fail_all(const Error& error);
  ports::Append record_of(const Emit& emit, const Headers& headers, std::int64_t seq) const;

  ShardRef ref_;
  const Environment& env_;
  Executor& lane_;
  const Lost lost_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // renewed by close()
  bool running_ = false;
  bool claim_asked_ = false;
  bool stopping_ = false;
  Stopped stopped_;
  std::int64_t acked_committed_ = 0;
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
