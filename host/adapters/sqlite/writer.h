#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/adapters/sqlite/connection.h"
#include "host/adapters/sqlite/log_index.h"
#include "host/adapters/sqlite/meters.h"
#include "host/adapters/sqlite/round.h"
#include "host/ports/clock.h"
#include "host/ports/logger.h"

namespace host::sqlite {

/// What a job works on inside a round.
struct Round {
  Connection& db;
  RoundLog& log;
  Time now;
};

/// How a job ended. `refused`: it alone was rolled back, for its own reason. `rolled_back`: nothing
/// of the round was written. `unknown`: perhaps it was.
struct Ending {
  enum class Kind { committed, refused, rolled_back, unknown };
  Kind kind = Kind::committed;
  Error error = {};
};

/// One piece of work of the writer. On the writer only.
class WriteJob {
 public:
  virtual ~WriteJob() = default;
  virtual std::size_t bytes() const { return 0; }
  /// Inside the round's transaction, under a savepoint of its own. May be called again when the
  /// round is repeated. An Error or a SqlFailure that is nobody else's fault takes back this job
  /// alone.
  virtual Result<void> apply(Round& round) = 0;
  /// Whether the job, whose apply() ended the whole transaction, has noted why and takes part in
  /// the repeated round without that; else it is left out of it.
  virtual bool repeats() const { return false; }
  /// The shard whose image it reads or changes: a round holds one job a shard, so that each sees in
  /// memory what the one before it committed. Null: none.
  virtual const ShardRef* shard() const { return nullptr; }
  /// After the COMMIT of a job that was not refused, before anybody hears of what it sent.
  virtual void committed() {}
  /// Exactly once, after the round, or without one when the writer is stopped.
  virtual void finish(Ending ending) = 0;

  Stopwatch::Clock::time_point submitted{};  // the writer's own note
};

/// The one writer of the data file: takes everything that is queued, at most 2,000 jobs or 8 MB,
/// into one transaction; answers after its COMMIT. One writer, because two on one file starve each
/// other, and one COMMIT for all, because syncing is what costs.
/// With a thread of its own, or without: then submit() does the round before it returns.
/// submit(), health(), wal_pages(), carrying() and carried() are thread-safe; stop() is called by
/// one thread at a time.
class Writer {
 public:
  struct Settings {
    bool threaded = true;
    std::string path;  // of the data file, for messages
    const ports::Clock* clock = nullptr;
    ports::Logger* logger = nullptr;
    const Meters* meters = nullptr;           // outlives the writer; null: nothing is measured
    Duration slow = std::chrono::seconds(1);  // a transaction that takes longer is logged
  };
  Writer(std::unique_ptr<Connection> db, LogIndex& index, Settings settings);
  ~Writer();

  /// Without a thread, this connection also reads; with the lock, on any thread.
  Connection& connection() { return *db_; }
  std::recursive_mutex& connection_mutex() { return db_mutex_; }

  void submit(std::unique_ptr<WriteJob> job);
  /// What was submitted is still written. Idempotent.
  void stop();

  /// Empty, or why the last round could not be written, or what of the file is damaged.
  std::string health() const;
  /// Pages in the write-ahead log after the last commit.
  int wal_pages() const;
  /// The housekeeper carries the write-ahead log over, and has done so.
  void carrying();
  void carried();

 private:
  using Jobs = std::vector<std::unique_ptr<WriteJob>>;

  void loop();
  bool take(Jobs& jobs);
  void run(Jobs jobs);
  /// The outcome of every job; throws SqlFailure when the round failed as a whole.
  std::vector<Ending> transaction(Jobs& jobs, RoundLog& log, Time now, bool& committing);
  /// False: the transaction is gone, through no fault of the disk; the round must be repeated.
  bool apply(WriteJob& job, Round& round, Ending& ending);
  std::uint64_t written() const;
  void measure_queue(const Jobs& jobs) const;
  void note_slow(double seconds, double sync_seconds, std::size_t jobs);
  void set_health(std::string problem);
  void note_damage(const Error& error);
  void probe();
  bool wal_should_start_over() const;
  void shorten_wal();

  std::unique_ptr<Connection> db_;
  std::recursive_mutex db_mutex_;
  LogIndex& index_;
  const Settings settings_;
  const Meters none_{nullptr};
  const Meters& meters_;
  std::optional<Time> slow_told_;  // on the thread that writes, as slow_since_
  std::size_t slow_since_ = 0;     // slow ones that were not told

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::condition_variable wake_;
  std::deque<std::unique_ptr<WriteJob>> queue_;
  std::size_t queued_bytes_ = 0;
  std::string problem_;
  std::string damage_;  // does not heal
  int wal_pages_ = 0;
  bool carrying_ = false;      // the housekeeper is at it
  std::uint64_t written_ = 0;  // transactions that put something into the write-ahead log
  bool stopped_ = false;

  std::thread thread_;  // last: it uses everything above
};

}  // namespace host::sqlite
