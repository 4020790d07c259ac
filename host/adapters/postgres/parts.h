#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/adapters/postgres/commit_queue.h"
#include "host/adapters/postgres/committer.h"
#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/plugin_sql.h"
#include "host/adapters/postgres/postgres_store.h"
#include "host/adapters/postgres/reads.h"
#include "host/adapters/postgres/schema.h"
#include "host/adapters/postgres/tails.h"
#include "host/adapters/postgres/worker.h"
#include "host/adapters/sql/row_spool.h"

namespace host::postgres {

/// What a PostgresStore is made of.
struct PostgresStore::Parts {
  Parts(Options options, const Conninfo& parsed);
  ~Parts();

  void start();
  void stop();

  /// Where the connections go that commit for a plugin and run its SQL.
  const Destination& where_of(const std::string& plugin);
  /// Who commits for some of a plugin's shards.
  struct Committer {
    CommitQueue waiting;
    Worker worker;  // the first to go: what it does may look into `waiting`
  };
  /// Null: the store is stopped.
  Committer* committer_of(const ShardRef& shard);
  /// On the connection that commits for the shard, one after the other.
  void on_commit_worker(const ShardRef& shard, Worker::Job job);
  void commit(WaitingCommit waiting);
  /// What waits and fits into one transaction; perhaps another did it already.
  void commit_waiting(CommitQueue& queue, Connection* db, const Error* why);
  Worker& reader() { return *readers[next_reader.fetch_add(1) % readers.size()]; }

  /// Those of a plugin's SQL, as its role. Null: the store is stopped.
  struct SqlWorkers {
    std::unique_ptr<Worker> queries;  // short ones, and pages of long ones
    std::unique_ptr<Worker> finder;   // long ones
  };
  SqlWorkers* sql_workers(const std::string& plugin);
  ports::Histogram* query_meter(const std::string& plugin) const;
  /// Says once a plugin when its role is no wall around its SQL. Throws Failure.
  void tell_about_wall(Connection& db, const std::string& plugin);

  /// Makes the schema of a plugin, once a process, with a connection of the host's own. Blocks.
  Result<void> ensure_schema(const std::string& plugin);
  /// Runs `work` (Connection& -> Result<T>) on a connection of the host's own. Blocks.
  template <class T, class Work>
  Result<T> on_own_connection(const std::string& what, Work work) {
    try {
      Connection db(where, options.limits);
      return work(db);
    } catch (const Failure& failure) {
      return to_error(failure, what);
    }
  }

  /// Answers what `read` (Connection&, const Schema&, const Overlay& -> T) finds: with our overlay
  /// where the shard is ours, else with its journal's tail in one snapshot; `absent` when there is
  /// no such shard.
  template <class T, class Read>
  void read_shard(const ShardRef& shard, const char* what, Executor& executor, Callback<T> callback,
                  T absent, Read read);

  const Options options;
  const Conninfo url;
  const Destination where;  // of the host's own connections
  const Meters meters;
  Health health;
  Images images;
  KnownSchemas schemas;
  PluginUnits units;
  CommitContext context;

  std::mutex stopping;  // stop() joins threads, one caller at a time
  std::vector<std::unique_ptr<Worker>> readers;
  std::atomic<std::size_t> next_reader{0};
  Tails tails;                           // on tails_worker only
  std::unique_ptr<Worker> tails_worker;  // shards of others, and what is rare
  std::unique_ptr<Worker> keeper;        // what keeps house

  std::mutex destinations_mutex;
  std::map<std::string, Destination> destinations;  // by plugin; guarded by destinations_mutex

  std::mutex commit_mutex;
  // guarded by commit_mutex
  std::map<std::string, std::unique_ptr<Committer>> committers;  // by plugin
  std::map<std::string, SqlWorkers> sql;                         // by plugin
  bool stopped = false;

  sql::RowSpool::Total spooled{0};  // bytes of long answers that are being sent
  std::atomic<int> finding{0};      // long answers that are being looked up
  std::set<std::string> told;       // plugins whose wall was looked at; guarded by commit_mutex

  std::mutex house_mutex;
  std::condition_variable house_wake;
  bool house_stopped = false;  // guarded by house_mutex
  std::thread house;

  // housekeeping.cc
  void keep_house();
  void look();
  Result<void> sweep();
  /// Tables of shards that do not commit, so that their entries do not grow older than the bounds
  /// allow; `all`: of every shard, whatever its age.
  void carry_over_aged();
  void carry_on(const ShardRef& shard, ImagePointer image);
};

template <class T, class Read>
void PostgresStore::Parts::read_shard(const ShardRef& shard, const char* what, Executor& executor,
                                      Callback<T> callback, T absent, Read read) {
  if (ImagePointer ours = images.find(shard)) {
    run_async<T>(
        reader(), what, executor, std::move(callback),
        [ours, schema = schema_of(shard.plugin), read = std::move(read)](
            Connection& db) mutable -> Result<T> { return read(db, schema, ours->overlay); });
    return;
  }
  run_async<T>(*tails_worker, what, executor, std::move(callback),
               [this, shard, schema = schema_of(shard.plugin), absent = std::move(absent),
                read = std::move(read)](Connection& db) mutable -> Result<T> {
                 const Transaction snapshot(db, Transaction::Kind::snapshot);
                 if (!has_plugin(db, shard.plugin)) return std::move(absent);
                 const Result<const journal::Overlay*> tail = tails.read(db, schema, shard);
                 if (!tail) return tail.error();
                 if (*tail == nullptr) return std::move(absent);
                 return read(db, schema, **tail);
               });
}

}  // namespace host::postgres
