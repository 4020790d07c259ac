#pragma once

#include <functional>

#include "host/ports/log.h"
#include "host/ports/store.h"

namespace host::app {

using Watch = std::function<void(const ports::Append&)>;

/// A log that tells what is appended to it, for `host test`. As thread-safe as what it wraps.
class RecordedLog final : public ports::Log {
 public:
  RecordedLog(ports::Log& log, Watch watch) : log_(log), watch_(std::move(watch)) {}

  bool shares_store() const override { return log_.shares_store(); }
  Result<void> ensure_topics(std::span<const ports::TopicSettings> topics) override {
    return log_.ensure_topics(topics);
  }
  std::unique_ptr<Fetch> fetch(const std::string& topic, PartitionNumber partition, Offset from,
                               std::size_t max_bytes, Executor& executor,
                               FetchCallback callback) override {
    return log_.fetch(topic, partition, from, max_bytes, executor, std::move(callback));
  }
  void append(ports::Appends records, Executor& executor, AppendCallback callback) override {
    for (const ports::Append& record : records) watch_(record);
    log_.append(std::move(records), executor, std::move(callback));
  }
  void range(const std::string& topic, PartitionNumber partition, Executor& executor,
             UniqueFunction<void(Result<Range>)> callback) override {
    log_.range(topic, partition, executor, std::move(callback));
  }

 private:
  ports::Log& log_;
  const Watch watch_;
};

/// A store that tells what its commits send, for `host test`. As thread-safe as what it wraps.
class RecordedStore final : public ports::Store {
 public:
  RecordedStore(ports::Store& store, Watch watch) : store_(store), watch_(std::move(watch)) {}

  Result<Identity> open_deployment(PartitionNumber partitions) override {
    return store_.open_deployment(partitions);
  }
  Result<void> migrate(const std::string& plugin, const std::vector<std::string>& tables) override {
    return store_.migrate(plugin, tables);
  }
  Result<void> check_sql(const std::string& plugin, const std::string& sql) override {
    return store_.check_sql(plugin, sql);
  }
  void claim(const ShardRef& shard, Executor& executor,
             Callback<ports::ShardImage> callback) override {
    store_.claim(shard, executor, std::move(callback));
  }
  void commit(std::shared_ptr<const ports::ShardCommit> commit, Executor& executor,
              UniqueFunction<void(ports::CommitResult)> callback) override {
    const auto done = [this, commit](UniqueFunction<void(ports::CommitResult)>& next,
                                     ports::CommitResult result) {
      if (result.status == ports::CommitResult::Status::committed) {
        for (const ports::OutgoingRow& row : commit->outgoing) watch_(row.record);
      }
      next(std::move(result));
    };
    store_.commit(commit, executor,
                  [done, next = std::move(callback)](ports::CommitResult result) mutable {
                    done(next, std::move(result));
                  });
  }
  void load_states(const ShardRef& shard, std::vector<std::string> keys, Executor& executor,
                   Callback<std::vector<ports::StateRow>> callback) override {
    store_.load_states(shard, std::move(keys), executor, std::move(callback));
  }
  void load_pending(const ShardRef& shard, std::vector<std::int64_t> ids, Executor& executor,
                    Callback<std::vector<ports::PendingRow>> callback) override {
    store_.load_pending(shard, std::move(ids), executor, std::move(callback));
  }
  void load_timers(const ShardRef& shard, Time after, std::string after_id, std::size_t limit,
                   Executor& executor, Callback<std::vector<ports::TimerRow>> callback) override {
    store_.load_timers(shard, after, std::move(after_id), limit, executor, std::move(callback));
  }
  void once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now, Executor& executor,
                 Callback<std::vector<bool>> callback) override {
    store_.once_seen(shard, std::move(ids), now, executor, std::move(callback));
  }
  void kept_answer(const std::string& plugin, std::string scope, Time now, Executor& executor,
                   Callback<std::optional<ports::KeptAnswer>> callback) override {
    store_.kept_answer(plugin, std::move(scope), now, executor, std::move(callback));
  }
  void load_replies(std::vector<std::string> ask_ids, Executor& executor,
                    Callback<std::vector<std::optional<std::string>>> callback) override {
    store_.load_replies(std::move(ask_ids), executor, std::move(callback));
  }
  void read_state(const ShardRef& shard, std::string key, Executor& executor,
                  Callback<ports::StateRow> callback) override {
    store_.read_state(shard, std::move(key), executor, std::move(callback));
  }
  void list_states(const std::string& plugin, std::string after, std::size_t limit,
                   Executor& executor, Callback<ports::StateList> callback) override {
    store_.list_states(plugin, std::move(after), limit, executor, std::move(callback));
  }
  void query(const std::string& plugin, SqlStatement statement, Executor& executor,
             Callback<SqlRows> callback) override {
    store_.query(plugin, std::move(statement), executor, std::move(callback));
  }
  void rows(const std::string& plugin, SqlStatement statement, Executor& executor,
            Callback<std::unique_ptr<ports::RowCursor>> callback) override {
    store_.rows(plugin, std::move(statement), executor, std::move(callback));
  }
  void list_dead(const std::string& plugin, std::string after, std::size_t limit,
                 Executor& executor, Callback<ports::DeadList> callback) override {
    store_.list_dead(plugin, std::move(after), limit, executor, std::move(callback));
  }
  void show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                 Callback<ports::DeadLetter> callback) override {
    store_.show_dead(plugin, id, executor, std::move(callback));
  }
  Result<void> remember_good(const std::string& plugin, const GoodSources& sources) override {
    return store_.remember_good(plugin, sources);
  }
  Result<std::optional<GoodSources>> last_good(const std::string& plugin) override {
    return store_.last_good(plugin);
  }
  std::string health() const override { return store_.health(); }

 private:
  ports::Store& store_;
  const Watch watch_;
};

}  // namespace host::app
