#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/adapters/sqlite/plugin_sql.h"
#include "host/adapters/sqlite/writer.h"
#include "host/ports/store.h"

namespace host::sqlite {

/// The jobs that the writer's rounds are made of. Each on the writer only.

std::unique_ptr<WriteJob> make_append_job(std::vector<ports::Append> records, Executor& executor,
                                          ports::Log::AppendCallback callback);

std::unique_ptr<WriteJob> make_claim_job(ShardRef shard, Executor& executor,
                                         ports::Store::Callback<ports::ShardImage> callback);

std::unique_ptr<WriteJob> make_commit_job(std::shared_ptr<const ports::ShardCommit> commit,
                                          PluginSql& sql, Executor& executor,
                                          UniqueFunction<void(ports::CommitResult)> callback);

/// Any other work, whose caller waits for it; see write_now().
template <class Work>
class BlockingJob final : public WriteJob {
 public:
  struct Done {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<void>> result;
  };
  BlockingJob(Work& work, Done& done) : work_(work), done_(done) {}

  Result<void> apply(Round& round) override { return work_(round); }
  void finish(Ending ending) override {
    const std::lock_guard lock(done_.mutex);
    done_.result = ending.kind == Ending::Kind::committed ? Result<void>()
                                                          : Result<void>(std::move(ending.error));
    done_.changed.notify_one();
  }

 private:
  Work& work_;
  Done& done_;
};

/// Runs `work` (Round& -> Result<void>) in a round and waits until it is committed. Not from the
/// writer's own thread.
template <class Work>
Result<void> write_now(Writer& writer, Work work) {
  typename BlockingJob<Work>::Done done;
  writer.submit(std::make_unique<BlockingJob<Work>>(work, done));
  std::unique_lock lock(done.mutex);
  done.changed.wait(lock, [&] { return done.result.has_value(); });
  return std::move(*done.result);
}

}  // namespace host::sqlite
