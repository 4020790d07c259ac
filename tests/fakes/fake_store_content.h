#pragma once

// What is inside a FakeStore; for its own sources only.

#include <unordered_map>
#include <utility>

#include "tests/fakes/fake_store.h"

namespace host::fakes {

struct FakeStore::Shard {
  std::int64_t epoch = 0;
  std::int64_t commit_no = 0;
  std::map<std::string, Offset> next_offsets;
  std::int64_t seq = 0;
  std::int64_t acked_seq = 0;
  int state_version = 0;
  std::unordered_map<std::string, ports::StateRow> states;
  std::map<std::int64_t, ports::PendingRow> pending;
  std::map<std::string, ports::TimerRow> timers;
  std::map<std::string, Time> every_next;
  std::map<std::string, Time> once_seen;
  std::map<std::tuple<std::string, PartitionNumber, std::string>, StreamPosition> marks;
  std::deque<ports::OutgoingRow> outgoing;

  void apply(const ports::ShardCommit& commit, bool keeps_outgoing);
  void apply_timers(const ports::ShardCommit& commit);
  ports::ShardImage image() const;
};

struct FakeStore::Content {
  std::optional<Identity> identity;
  std::map<ShardRef, Shard> shards;
  std::map<std::pair<std::string, std::string>, ports::DeadLetter> dead;  // plugin, id
  std::map<std::string, std::string> replies;
  std::map<std::pair<std::string, std::string>, ports::KeptAnswer> answers;  // plugin, scope
  std::map<std::string, GoodSources> good;
  std::map<std::string, std::vector<std::string>> migrations;
  std::vector<RanSql> sql;
  std::size_t commits = 0;
};

/// A commit on its way.
struct FakeStore::Operation {
  std::shared_ptr<const ports::ShardCommit> commit;
  Executor* executor = nullptr;
  UniqueFunction<void(ports::CommitResult)> callback;
  std::optional<Failure> failure;             // planned
  std::optional<ports::CommitResult> result;  // once it is carried out
};

inline Error store_stopped() {
  return retryable_error(Error::Code::unavailable, "the store is stopped");
}

template <class T, class Make>
void FakeStore::answer(Executor& executor, Callback<T> callback, Make make) {
  auto evaluate = [this, make = std::move(make)]() -> Result<T> {
    if (stopped_) return store_stopped();
    if (draw(manners_.unavailable))
      return retryable_error(Error::Code::unavailable, "the store is away");
    return make();
  };
  std::lock_guard lock(mutex_);
  // What a read sees is a matter of chance while commits are on their way.
  if (manners_.delay > Duration{0} && draw(0.5)) {
    schedule(executor,
             [this, evaluate = std::move(evaluate), callback = std::move(callback)]() mutable {
               std::unique_lock later(mutex_);
               Result<T> result = evaluate();
               later.unlock();
               callback(std::move(result));
             });
  } else {
    schedule(executor, [result = evaluate(), callback = std::move(callback)]() mutable {
      callback(std::move(result));
    });
  }
}

}  // namespace host::fakes
