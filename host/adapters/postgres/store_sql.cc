// Plugins' own tables and statements.
#include <future>

#include "host/adapters/postgres/migrations.h"
#include "host/adapters/postgres/parts.h"
#include "host/adapters/postgres/roles.h"
#include "host/adapters/sql/row_cursor.h"

namespace host::postgres {
namespace {

constexpr int kMostWaiting = 16;

Error stopped() { return retryable_error(Error::Code::unavailable, "the store is stopped"); }

/// Where the script called it.
template <class T>
Result<T> placed(Result<T> answer, const SqlStatement& statement) {
  if (answer) return answer;
  Error error = answer.error();
  error.file = statement.file;
  error.line = statement.line;
  return error;
}

/// Pages are read from files: it does not matter that there may be no connection.
template <class IsStopped>
sql::PageReader page_reader(Worker& worker, IsStopped is_stopped) {
  return [&worker, is_stopped](UniqueFunction<void(bool)> work) {
    worker.submit([is_stopped, work = std::move(work)](Connection* db, const Error*) mutable {
      work(db != nullptr || !is_stopped());
    });
  };
}

}  // namespace

PostgresStore::Parts::SqlWorkers* PostgresStore::Parts::sql_workers(const std::string& plugin) {
  const std::lock_guard lock(commit_mutex);
  if (stopped) return nullptr;
  SqlWorkers& workers = sql[plugin];
  for (auto* worker : {&workers.queries, &workers.finder}) {
    if (*worker) continue;
    *worker = std::make_unique<Worker>(Worker::Settings{.where = where_of(plugin),
                                                        .limits = options.limits,
                                                        .schema = schema_of(plugin),
                                                        .logger = options.logger,
                                                        .health = &health});
  }
  return &workers;
}

ports::Histogram* PostgresStore::Parts::query_meter(const std::string& plugin) const {
  if (options.metrics == nullptr) return nullptr;
  return &options.metrics->histogram("host_sql_seconds", {{"plugin", plugin}, {"kind", "query"}});
}

void PostgresStore::Parts::tell_about_wall(Connection& db, const std::string& plugin) {
  {
    const std::lock_guard lock(commit_mutex);
    if (options.logger == nullptr || !told.insert(plugin).second) return;
  }
  const std::string problem = wall_problem(db, plugin);
  if (!problem.empty()) options.logger->log(ports::LogLevel::warn, problem, {{"plugin", plugin}});
}

Result<void> PostgresStore::check_login(const std::string& plugin) {
  try {
    const Connection db(parts_->where_of(plugin), parts_->options.limits);
    return {};
  } catch (const Failure& failure) {
    const Error error = to_error(failure, "connecting for plugin " + plugin);
    return error.retryable ? Result<void>() : error;
  }
}

Result<void> PostgresStore::migrate(const std::string& plugin,
                                    const std::vector<std::string>& tables) {
  if (Result<void> there = parts_->ensure_schema(plugin); !there || tables.empty()) return there;
  const std::string what = "making the tables of plugin " + plugin;
  try {
    Connection db(parts_->where_of(plugin), migration_limits(parts_->options.limits),
                  schema_of(plugin));
    parts_->tell_about_wall(db, plugin);
    return apply_migrations(db, plugin, tables);
  } catch (const Failure& failure) {
    return to_error(failure, what);
  }
}

Result<void> PostgresStore::check_sql(const std::string& plugin, const std::string& sql) {
  if (Result<void> there = parts_->ensure_schema(plugin); !there) return there;
  Parts::SqlWorkers* const workers = parts_->sql_workers(plugin);
  if (workers == nullptr) return stopped();
  std::promise<Result<void>> answer;
  workers->queries->submit([&](Connection* db, const Error* why) {
    auto check = [&](Connection& on) { return PluginSql::of(on, plugin).check(sql); };
    answer.set_value(guarded<void>(db, why, "checking a statement", check));
  });
  return answer.get_future().get();
}

void PostgresStore::query(const std::string& plugin, SqlStatement statement, Executor& executor,
                          Callback<SqlRows> callback) {
  Parts::SqlWorkers* const workers = parts_->sql_workers(plugin);
  if (workers == nullptr) {
    return executor.post([callback = std::move(callback)]() mutable { callback(stopped()); });
  }
  run_async<SqlRows>(*workers->queries, "a query", executor, std::move(callback),
                     [meter = parts_->query_meter(plugin), plugin,
                      statement = std::move(statement)](Connection& db) {
                       const Measured measured(meter);
                       return placed(PluginSql::of(db, plugin).query(statement), statement);
                     });
}

void PostgresStore::rows(const std::string& plugin, SqlStatement statement, Executor& executor,
                         Callback<std::unique_ptr<ports::RowCursor>> callback) {
  using Cursor = std::unique_ptr<ports::RowCursor>;
  Parts& parts = *parts_;
  Parts::SqlWorkers* const workers = parts.sql_workers(plugin);
  if (workers == nullptr) {
    return executor.post([callback = std::move(callback)]() mutable { callback(stopped()); });
  }
  if (parts.finding.fetch_add(1) >= kMostWaiting) {
    --parts.finding;
    return executor.post([callback = std::move(callback)]() mutable {
      callback(retryable_error(Error::Code::exhausted,
                               "too many long answers are being looked up at once"));
    });
  }
  const auto find = [&parts, plugin, statement, &executor,
                     workers](Connection& db) -> Result<Cursor> {
    const Measured measured(parts.query_meter(plugin));
    const auto folder =
        parts.options.spool.empty() ? std::filesystem::temp_directory_path() : parts.options.spool;
    auto spool = std::make_unique<sql::RowSpool>(folder, parts.spooled);
    Result<void> found =
        PluginSql::of(db, plugin)
            .each_row(
                statement, kFindLimit,
                [&spool](std::vector<std::string> columns) { spool->columns(std::move(columns)); },
                [&spool](std::vector<SqlValue> row) { return spool->add(row); });
    if (found) found = spool->close();
    if (!found) return placed<Cursor>(found.error(), statement);
    const auto is_stopped = [&parts] {
      const std::lock_guard lock(parts.commit_mutex);
      return parts.stopped;
    };
    return sql::make_row_cursor(page_reader(*workers->queries, is_stopped), executor,
                                std::move(spool));
  };
  run_async<Cursor>(
      *workers->finder, "a query", executor,
      [&finding = parts.finding, callback = std::move(callback)](Result<Cursor> answer) mutable {
        --finding;
        callback(std::move(answer));
      },
      find);
}

}  // namespace host::postgres
