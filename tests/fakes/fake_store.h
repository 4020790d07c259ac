#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "host/ports/store.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/manual_executor.h"

namespace host::fakes {

/// A store in memory with exactly the commit semantics of the port: fence on epoch and commit
/// number, all or nothing, outgoing rows kept until acknowledged, or appended to `log` where that
/// shares the store. It outlives the processes of a simulated world: when an executor is killed,
/// what it had in flight is carried out or lost, and its answers are dropped.
/// Plugin SQL is recorded, not run; the text "fail" fails. Thread-safe.
class FakeStore : public ports::Store {
 public:
  struct Manners {
    double not_now = 0;      // a commit is refused for now
    double unknown = 0;      // a commit's outcome is unknown; it was carried out or not
    double unavailable = 0;  // a claim or a read fails
    bool no_fence = false;   // a defect: commits demand nothing
    Duration delay{};        // answers come up to so much later, in the order of the calls
  };

  /// `log` shares the store or not as its manners say; the same clock drives the epochs.
  FakeStore(const ManualClock& clock, FakeLog& log, Manners manners, std::uint64_t seed = 1);
  ~FakeStore() override;

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
  /// What query() answers, a row a page.
  void rows(const std::string& plugin, SqlStatement statement, Executor& executor,
            Callback<std::unique_ptr<ports::RowCursor>> callback) override;
  void list_dead(const std::string& plugin_or_empty, std::string after, std::size_t limit,
                 Executor& executor, Callback<ports::DeadList> callback) override;
  void show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                 Callback<ports::DeadLetter> callback) override;
  Result<void> remember_good(const std::string& plugin, const GoodSources& sources) override;
  Result<std::optional<GoodSources>> last_good(const std::string& plugin) override;
  std::string health() const override;

  // ---- handles ----
  /// Commits wait from now on until release_commits(); carried out at once, or not before.
  enum class Hold { answers, writes };
  void hold_commits(Hold what);
  void release_commits();
  std::size_t held_commits() const;
  enum class Failure { not_now, unknown_written, unknown_lost, fenced };
  /// The next commit ends so. `fenced` is true: somebody else has claimed the shard.
  void fail_next_commit(Failure failure);
  void fail_next_claim(Error error);
  void fail_next_read(Error error);
  /// Statements of commits that fail besides the text "fail".
  void on_sql(std::function<std::optional<Error>(const std::string& plugin, const SqlStatement&)>);
  void on_query(std::function<Result<SqlRows>(const std::string& plugin, const SqlStatement&)>);
  void stop();
  void restart();
  /// Drops what waits for an executor that is about to be destroyed.
  void forget(const Executor& executor);

  /// As a backup of the database; with the log where it is part of it.
  struct Content;
  struct Backup {
    std::shared_ptr<const Content> store;
    std::shared_ptr<const FakeLog::Content> log;
  };
  Backup backup() const;
  void restore(const Backup& backup);

  // ---- for the tests' eyes ----
  struct RanSql {
    std::string plugin;
    std::string message_id;
    SqlStatement statement;
  };
  std::vector<RanSql> sql() const;  // of carried out commits, in order
  std::optional<std::string> reply(const std::string& ask_id) const;
  std::optional<std::string> state(const ShardRef& shard, const std::string& key) const;
  std::vector<ports::DeadLetter> dead() const;
  std::size_t timer_count(const ShardRef& shard) const;
  std::size_t pending_count(const ShardRef& shard) const;
  std::size_t commits() const;      // carried out so far
  std::size_t reply_reads() const;  // calls of load_replies() that were answered
  std::size_t fenced() const;       // refused so far, because the shard had another owner

 private:
  struct Shard;
  struct Operation;
  struct Client {
    Time last_due{};
    std::size_t undone = 0;  // commits that are not carried out yet
  };

  bool draw(double chance);
  void schedule(Executor& executor, UniqueFunction<void()> work);
  template <class T, class Make>
  void answer(Executor& executor, Callback<T> callback, Make make);
  ports::CommitResult apply(const ports::ShardCommit& commit);
  std::optional<ports::CommitResult> answered_before(const ports::ShardCommit& commit) const;
  std::optional<ports::CommitResult> run_sql(const ports::ShardCommit& commit);
  ports::CommitResult carry_out(Operation& operation);
  void finish(Operation& operation);
  Result<ports::ShardImage> claim_now(const ShardRef& shard);
  std::optional<Error> next_read_failure();
  ports::DeadList dead_page(const std::string& plugin, const std::string& after,
                            std::size_t limit) const;
  ports::StateList state_page(const std::string& plugin, const std::string& after,
                              std::size_t limit) const;

  const ManualClock& clock_;
  FakeLog& log_;
  const Manners manners_;
  mutable std::mutex mutex_;  // guards everything below
  std::mt19937_64 random_;
  std::unique_ptr<Content> content_;
  std::map<const Executor*, Client> clients_;
  std::optional<Hold> hold_;
  std::deque<std::shared_ptr<Operation>> held_;
  std::deque<Failure> commit_failures_;
  std::deque<Error> claim_failures_;
  std::deque<Error> read_failures_;
  std::function<std::optional<Error>(const std::string&, const SqlStatement&)> on_sql_;
  std::function<Result<SqlRows>(const std::string&, const SqlStatement&)> on_query_;
  bool stopped_ = false;
  std::size_t fenced_ = 0, reply_reads_ = 0;
};

}  // namespace host::fakes
