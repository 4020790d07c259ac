#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/adapters/journal/bounds.h"
#include "host/adapters/postgres/conninfo.h"
#include "host/ports/clock.h"
#include "host/ports/logger.h"
#include "host/ports/metrics.h"
#include "host/ports/store.h"

namespace host::postgres {

struct Options {
  std::string url;                    // as Conninfo::parse() takes it
  PasswordSource password = nullptr;  // wins over what the URL and the environment say
  /// Who commits for a plugin and runs its SQL; nothing, or null: the one role of the URL for all.
  /// Whether a plugin has a role is asked once, its password for every connection, on any thread.
  LoginSource login = nullptr;
  std::filesystem::path spool = {};  // folder of long answers; empty: the system's temporary one
  const ports::Clock& clock;  // of ages and of answers that are kept; epochs go by the database's
  ports::Logger* logger = nullptr;
  ports::Metrics* metrics = nullptr;
  Limits limits = {};
  journal::Bounds bounds = {};  // of what a shard's tables may lag behind
  int read_connections = 2;     // for all plugins
  /// How often what is not kept any more is dropped; kForever: never by itself.
  Duration retain_every = std::chrono::seconds(30);
  /// Told, on any thread, of a shard that could not be claimed because its row stays locked. Must
  /// not block; null: nobody is.
  std::function<void(const ShardRef&)> claim_blocked = nullptr;
  Duration look_every = std::chrono::seconds(1);  // at the database's health, and at idle shards
};

/// The store on PostgreSQL, for any number of processes. Log and store are not one: what a commit
/// sends waits in a row of its own until the log has acknowledged it.
///
/// Flow: a claim and the commits of a shard run one after the other on a connection of its plugin;
/// each commit is one transaction in one round trip. Reads of shards that this process claimed look
/// into their overlay, then into the tables; those of others read tables and journal in one
/// snapshot. Nothing throws, nothing ends the process, no call but open_deployment(),
/// check_login(), migrate(), check_sql(), remember_good() and last_good() waits for the database.
/// Thread-safe. Executors that were given to calls outlive stop().
class PostgresStore final : public ports::Store {
 public:
  /// Connects to nothing yet. Errors: invalid (the URL).
  static Result<std::unique_ptr<PostgresStore>> make(const Options& options);
  ~PostgresStore() override;
  /// Whether a plugin's role may connect; a database that is away is no error. Waits for it.
  /// Errors: invalid (its password, or what Options::login says).
  Result<void> check_login(const std::string& plugin);

  /// What was asked before is still done if the database answers in time; what is asked later is
  /// answered `unavailable`. Idempotent.
  void stop();
  /// Brings the tables of all shards that this process owns up to date; waits for it.
  Result<void> carry_over_all();
  /// Drops what is not kept any more; waits for it.
  Result<void> retain_once();

  /// Errors, beside the port's: invalid (wrong password, no such database, no rights; with a hint),
  /// unsupported (a newer schema), unavailable (retryable: the server is away).
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
  explicit PostgresStore(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace host::postgres
