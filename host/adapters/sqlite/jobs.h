#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/adapters/sqlite/overlays.h"
#include "host/adapters/sqlite/plugin_sql.h"
#include "host/adapters/sqlite/writer.h"
#include "host/ports/store.h"

namespace host::sqlite {

/// The jobs that the writer's rounds are made of. Each on the writer only.

std::unique_ptr<WriteJob> make_append_job(ports::Appends records, Executor& executor,
                                          ports::Log::AppendCallback callback);

std::unique_ptr<WriteJob> make_claim_job(ShardRef shard, Overlays& overlays, Executor& executor,
                                         ports::Store::Callback<ports::ShardImage> callback);

std::unique_ptr<WriteJob> make_commit_job(std::shared_ptr<const ports::ShardCommit> commit,
                                          Overlays& overlays, PluginSql& sql, Executor& executor,
                                          UniqueFunction<void(ports::CommitResult)> callback);

/// Brings the tables of shards up to date that do not commit, so that their entries do not grow
/// older than the bounds allow. Waits until it is done; not from the writer's own thread.
Result<void> checkpoint_aged(Writer& writer, Overlays& overlays, const ports::Clock& clock);

/// The outcome of a job for a thread that waits for it. Thread-safe.
class BlockingResult {
 public:
  void set(Ending ending) {
    const std::lock_guard lock(mutex_);
    result_ = ending.kind == Ending::Kind::committed ? Result<void>()
                                                     : Result<void>(std::move(ending.error));
    changed_.notify_one();
  }
  Result<void> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return result_.has_value(); });
    return std::move(*result_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<void>> result_;
};

/// Any other work, whose caller waits for it; see write_now().
template <class Work>
class BlockingJob final : public WriteJob {
 public:
  BlockingJob(Work& work, BlockingResult& done) : work_(work), done_(done) {}

  Result<void> apply(Round& round) override { return work_(round); }
  void finish(Ending ending) override { done_.set(std::move(ending)); }

 private:
  Work& work_;
  BlockingResult& done_;
};

/// Runs `work` (Round& -> Result<void>) in a round and waits until it is committed. Not from the
/// writer's own thread.
template <class Work>
Result<void> write_now(Writer& writer, Work work) {
  BlockingResult done;
  writer.submit(std::make_unique<BlockingJob<Work>>(work, done));
  return done.wait();
}

}  // namespace host::sqlite
