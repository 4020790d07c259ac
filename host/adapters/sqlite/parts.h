#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "host/adapters/sql/row_spool.h"
#include "host/adapters/sqlite/database.h"
#include "host/adapters/sqlite/housekeeper.h"
#include "host/adapters/sqlite/lock_file.h"
#include "host/adapters/sqlite/log_index.h"
#include "host/adapters/sqlite/meters.h"
#include "host/adapters/sqlite/overlays.h"
#include "host/adapters/sqlite/plugin_sql.h"
#include "host/adapters/sqlite/reader.h"
#include "host/adapters/sqlite/writer.h"

namespace host::sqlite {

/// What a Database is made of. Scripts' queries have a reader of their own, so that a slow one does
/// not hold up fetches and states.
struct Database::Parts {
  explicit Parts(const Options& o) : options(o), meters(o.metrics), overlays(o.bounds) {}
  ~Parts();

  /// Starts what works on `path`; `db` becomes the writer's. Throws SqlFailure.
  void start(std::unique_ptr<Connection> db, const std::string& path);
  void stop();
  /// For the queries of scripts.
  PluginSql& reading_sql() { return query_sql ? *query_sql : *writer_sql; }
  /// For those that may take long.
  PluginSql& finding_sql() { return finder_sql ? *finder_sql : *writer_sql; }

  const Options options;
  const Meters meters;
  std::mutex stopping;  // stop() joins threads, one caller at a time
  LockFile lock;
  std::shared_ptr<LogIndex> index = std::make_shared<LogIndex>();  // fetch handles may outlive us
  PluginTables tables;
  Overlays overlays;
  std::unique_ptr<Writer> writer;
  std::unique_ptr<PluginSql> writer_sql;  // on the writer's connection
  std::unique_ptr<PluginSql> query_sql;   // on the connection of `queries`; none without threads
  std::unique_ptr<PluginSql> finder_sql;  // on the connection of `finder`; none without threads
  sql::RowSpool::Total spooled{0};        // bytes of long answers that are being sent
  std::atomic<int> finding{0};            // long answers that are being looked up
  std::unique_ptr<Reader> finder;
  std::unique_ptr<Reader> reader;
  std::unique_ptr<Reader> queries;
  std::unique_ptr<Housekeeper> housekeeper;  // none without threads
};

}  // namespace host::sqlite
