#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/adapters/journal/bounds.h"
#include "host/ports/clock.h"
#include "host/ports/log.h"
#include "host/ports/logger.h"
#include "host/ports/metrics.h"
#include "host/ports/store.h"

namespace host::sqlite {

struct Options {
  std::filesystem::path dir;  // the data folder; made when missing
  const ports::Clock& clock;
  ports::Logger* logger = nullptr;
  ports::Metrics* metrics = nullptr;
  std::string admin = {};  // admin address, told to whoever finds the folder taken

  /// With threads: one writer, readers and a housekeeper; commits are synced to the disk.
  /// Without: each call does its work before it returns (its callback still is posted), nothing is
  /// synced: for `host test` and unit tests.
  bool threads = true;
  /// The data is in memory and `dir` is not touched. Only without threads.
  bool in_memory = false;

  /// How often the housekeeper drops what is no longer kept; kForever: only retain_once() does.
  Duration retain_every = std::chrono::seconds(30);
  journal::Bounds bounds = {};       // of what a shard's tables may lag behind
  std::uint64_t max_file_bytes = 0;  // of the data file; 0: as large as the disk allows
  Duration slow_commit = std::chrono::seconds(1);  // a transaction that takes longer is logged
};

/// How much there is, for whoever runs the host.
struct Account {
  struct Topic {
    std::string name;
    std::int64_t records = 0;
    std::int64_t bytes = 0;  // of its batches in the file
  };
  /// What the tables of a plugin's shards lag behind.
  struct Journal {
    std::string plugin;
    std::size_t bytes = 0;
    Duration age{};  // of the oldest entry; 0: there is none
  };
  std::uint64_t file_bytes = 0;
  std::uint64_t wal_bytes = 0;  // of the write-ahead log's file, which shrinks only at a stop
  std::uint64_t disk_free_bytes = 0;
  std::vector<Topic> topics;
  std::vector<Journal> journals;
};

/// The embedded log and store: one SQLite file, `DIR/host.db`, for one process. A commit of the
/// store appends what it sends in the same transaction, so there is no outbox and there are no
/// marks. One writer commits whatever is queued together; whole batches wake those who fetch.
///
/// Errors of open() are for people: conflict (another process holds the folder), unavailable
/// (not writable), invalid (another application's file), unsupported (newer format), corrupt.
/// Thread-safe. Executors that were given to calls outlive stop().
class Database final : public ports::Log, public ports::Store {
 public:
  static Result<std::unique_ptr<Database>> open(const Options& options);
  ~Database() override;

  /// What was asked before is still done and answered; what waits for records and what is asked
  /// later is answered `unavailable`. Idempotent.
  void stop();
  /// Writes the admin address into the lock file once it is known.
  void set_admin(const std::string& address);
  /// Blocks. Sizes of files that cannot be asked for are 0. Errors: unavailable.
  Result<Account> account() const;
  /// Drops what topics no longer keep, never what a plugin has not read; waits for it.
  Result<void> retain_once();

  // ports::Log
  bool shares_store() const override { return true; }
  Result<void> ensure_topics(std::span<const ports::TopicSettings> topics) override;
  std::unique_ptr<Fetch> fetch(const std::string& topic, PartitionNumber partition, Offset from,
                               std::size_t max_bytes, Executor& executor,
                               FetchCallback callback) override;
  void append(ports::Appends records, Executor& executor, AppendCallback callback) override;
  void range(const std::string& topic, PartitionNumber partition, Executor& executor,
             UniqueFunction<void(Result<Range>)> callback) override;

  // ports::Store
  Result<Identity> open_deployment(PartitionNumber partitions) override;
  Result<void> migrate(const std::string& plugin, const std::vector<std::string>& tables) override;
  Result<void> check_sql(const std::string& plugin, const std::string& sql) override;
  void claim(const ShardRef& shard, Executor& executor,
             Callback<ports::ShardImage> callback) override;
  void commit(std::shared_ptr<const ports::ShardCommit> commit, Executor& executor,
              UniqueFunction<void(ports::CommitResult)> callback) override;
  void load_states(const ShardRef& shard, std::vector<std::string> keys, Executor& executor,
                   Callback<std::vector<ports::StateRow>> callback) override;
  void load_pending(const ShardRef& shard, std::vector<std::int64_t> ids, Executor& executor,
                    Callback<std::vector<ports::PendingRow>> callback) override;
  void load_timers(const ShardRef& shard, Time after, std::string after_id, std::size_t limit,
                   Executor& executor, Callback<std::vector<ports::TimerRow>> callback) override;
  void once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now, Executor& executor,
                 Callback<std::vector<bool>> callback) override;
  void kept_answer(const std::string& plugin, std::string scope, Time now, Executor& executor,
                   Callback<std::optional<ports::KeptAnswer>> callback) override;
  void load_replies(std::vector<std::string> ask_ids, Executor& executor,
                    Callback<std::vector<std::optional<std::string>>> callback) override;
  void read_state(const ShardRef& shard, std::string key, Executor& executor,
                  Callback<ports::StateRow> callback) override;
  void list_states(const std::string& plugin, std::string after, std::size_t limit,
                   Executor& executor, Callback<ports::StateList> callback) override;
  void query(const std::string& plugin, SqlStatement statement, Executor& executor,
             Callback<SqlRows> callback) override;
  void rows(const std::string& plugin, SqlStatement statement, Executor& executor,
            Callback<std::unique_ptr<ports::RowCursor>> callback) override;
  void list_dead(const std::string& plugin_or_empty, std::string after, std::size_t limit,
                 Executor& executor, Callback<ports::DeadList> callback) override;
  void show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                 Callback<ports::DeadLetter> callback) override;
  Result<void> remember_good(const std::string& plugin, const GoodSources& sources) override;
  Result<std::optional<GoodSources>> last_good(const std::string& plugin) override;
  std::string health() const override;

 private:
  struct Parts;
  explicit Database(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace host::sqlite
