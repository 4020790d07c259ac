#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "host/adapters/sqlite/connection.h"
#include "host/adapters/sqlite/meters.h"
#include "host/base/result.h"
#include "host/core/unit_of_work.h"

namespace host::sqlite {

/// Which plugin a table belongs to. A registry, because prefixes do not tell: `a_b_t` could belong
/// to `a` or to `a_b`. Thread-safe.
class PluginTables {
 public:
  /// Names are compared as SQLite does, without regard to ASCII case. "" when unregistered.
  std::string owner(std::string_view table) const;
  void add(const std::string& table, const std::string& plugin);
  void load(Connection& db);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> owners_;  // guarded by mutex_; lower case
};

/// Runs SQL that plugins wrote on one connection: held to their own tables by SQLite's authorizer,
/// in steps by its progress handler. Values are read natively, integers exact.
/// On the connection's thread only; lives as long as the connection is used.
class PluginSql {
 public:
  PluginSql(Connection& db, const PluginTables& tables, const Meters& meters);
  ~PluginSql();
  PluginSql(const PluginSql&) = delete;
  PluginSql& operator=(const PluginSql&) = delete;

  /// Errors: invalid (for the script's author), exhausted (step or size limit). Throws SqlFailure
  /// for failures of disk, memory or lock. After an error the transaction may be gone.
  Result<void> exec(const std::string& plugin, const SqlStatement& statement);
  Result<SqlRows> query(const std::string& plugin, const SqlStatement& statement);
  /// Reads without keeping: `columns` is told once, then `row` for each, which may end it by an
  /// error. `limit`: of processor time, and of time.
  Result<void> each_row(const std::string& plugin, const SqlStatement& statement, Duration limit,
                        const std::function<void(std::vector<std::string>)>& columns,
                        const std::function<Result<void>(std::vector<SqlValue>)>& row);
  /// Compiles without running.
  Result<void> check(const std::string& plugin, const std::string& sql);

  /// Runs one migration statement under the rules for migrations.
  Result<void> migrate(const std::string& plugin, std::string_view sql);

 private:
  enum class Mode { host, statement, migration };
  class Scope;

  static int authorize(void* self, int action, const char* a, const char* b, const char* schema,
                       const char* inner);
  int authorize_statement(int action, const char* table, const char* column);
  int authorize_migration(int action, const char* a, const char* b);
  int deny(std::string why);

  Result<sqlite3_stmt*> prepared(const std::string& plugin, const std::string& sql);
  Result<StatementHolder> compile(const std::string& plugin, const std::string& sql);
  Result<void> bind(sqlite3_stmt* statement, const SqlParameters& parameters);
  Result<bool> step(sqlite3_stmt* statement);
  Error failure();
  ports::Histogram* meter_of(const std::string& plugin, bool writes);

  Connection& db_;
  const PluginTables& tables_;
  const Meters& meters_;
  Mode mode_ = Mode::host;
  std::string plugin_;
  std::string denied_;  // why the authorizer refused
  Duration limit_{};
  std::int64_t stop_at_ = 0;                       // thread time in us
  std::chrono::steady_clock::time_point until_{};  // the same, of a clock on the wall
  using Cache = std::unordered_map<std::string, StatementHolder>;
  std::unordered_map<std::string, Cache> cache_;                         // by plugin and text
  std::unordered_map<std::string, ports::Histogram*> writes_, queries_;  // by plugin
};

}  // namespace host::sqlite
