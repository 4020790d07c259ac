#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "host/adapters/postgres/postgres_store.h"
#include "tests/contract/contract_support.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recorders.h"
#include "tests/integration/postgres/support.h"

namespace host::postgres_tests {

using contract::Answer;
using contract::await;
using ports::CommitResult;
using ports::ShardCommit;
using ports::ShardImage;
using ports::StateRow;
using Status = ports::CommitResult::Status;

/// One process on a database, with the vocabulary of these tests: every call awaited.
class Deployment {
 public:
  static constexpr bool kClaimsAnew = true;  // after reopen()
  explicit Deployment(const TestDatabase& database, const journal::Bounds& bounds = {})
      : options{.url = database.url(),
                .clock = scheduler_.clock(),
                .logger = &logger_,
                .metrics = &metrics_},
        lane_(scheduler_) {
    options.retain_every = kForever;
    options.bounds = bounds;
    reopen();
    must(store().open_deployment(contract::kPartitions));
  }

  void reopen() {
    store_.reset();
    store_ = must(postgres::PostgresStore::make(options));
  }
  postgres::PostgresStore& store() { return *store_; }
  Executor& executor() { return lane_; }
  fakes::ManualClock& clock() { return scheduler_.clock(); }
  fakes::RecordingLogger& logger() { return logger_; }
  fakes::RecordingMetrics& metrics() { return metrics_; }
  bool pump(const std::function<bool()>& until) {
    return scheduler_.wait_until(until, std::chrono::seconds(30));
  }

  Result<ShardImage> try_claim(const ShardRef& shard) {
    Answer<Result<ShardImage>> answer;
    store().claim(shard, executor(), answer.taker());
    return await(*this, answer);
  }
  ShardImage claim(const ShardRef& shard) { return must(try_claim(shard)); }
  CommitResult commit(ShardCommit what) {
    Answer<CommitResult> answer;
    store().commit(std::make_shared<const ShardCommit>(std::move(what)), executor(),
                   answer.taker());
    return await(*this, answer);
  }
  Result<std::vector<StateRow>> try_states(const ShardRef& shard, std::vector<std::string> keys) {
    Answer<Result<std::vector<StateRow>>> answer;
    store().load_states(shard, std::move(keys), executor(), answer.taker());
    return await(*this, answer);
  }
  /// As its owner sees it.
  std::optional<std::string> state(const ShardRef& shard, const std::string& key) {
    return must(try_states(shard, {key})).at(0).bytes;
  }
  Result<StateRow> try_read(const ShardRef& shard, const std::string& key) {
    Answer<Result<StateRow>> answer;
    store().read_state(shard, key, executor(), answer.taker());
    return await(*this, answer);
  }
  /// As anybody sees it.
  std::optional<std::string> read(const ShardRef& shard, const std::string& key) {
    return must(try_read(shard, key)).bytes;
  }
  Result<ports::StateList> try_list(const std::string& plugin) {
    Answer<Result<ports::StateList>> answer;
    store().list_states(plugin, "", 1000, executor(), answer.taker());
    return await(*this, answer);
  }

  postgres::Options options;  // taken by the next reopen()

 private:
  fakes::Scheduler scheduler_;
  fakes::RecordingLogger logger_;
  fakes::RecordingMetrics metrics_;
  fakes::ManualExecutor lane_;
  std::unique_ptr<postgres::PostgresStore> store_;
};

/// For what no callback tells: asked again and again, at most 30 s.
inline bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// The commit that the owner of `image` makes next, with one state.
inline ShardCommit next_commit(const ShardRef& shard, const ShardImage& image,
                               const std::string& key, const std::string& value) {
  ShardCommit commit;
  commit.shard = shard;
  commit.epoch = image.epoch;
  commit.commit_no = image.commit_no;
  commit.seq = image.seq;
  commit.acked_seq = image.acked_seq;
  commit.states = {{key, StateRow{value, 1, {}}}};
  return commit;
}

}  // namespace host::postgres_tests
