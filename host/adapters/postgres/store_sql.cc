// Plugins' own tables and statements.
#include "host/adapters/postgres/parts.h"

namespace host::postgres {
namespace {

Error not_yet(const std::string& plugin) {
  return make_error(Error::Code::unsupported,
                    "plugin " + plugin +
                        " has tables or SQL of its own: on PostgreSQL that is not in this version",
                    "keep what it needs in states, or run it on the embedded store");
}

template <class T>
void refuse(Executor& executor, ports::Store::Callback<T> callback, Error error) {
  executor.post([callback = std::move(callback), error = std::move(error)]() mutable {
    callback(std::move(error));
  });
}

}  // namespace

Result<void> PostgresStore::migrate(const std::string& plugin,
                                    const std::vector<std::string>& tables) {
  if (!tables.empty()) return not_yet(plugin);
  return parts_->ensure_schema(plugin);
}

Result<void> PostgresStore::check_sql(const std::string& plugin, const std::string&) {
  return not_yet(plugin);
}

void PostgresStore::query(const std::string& plugin, SqlStatement statement, Executor& executor,
                          Callback<SqlRows> callback) {
  Error error = not_yet(plugin);
  error.file = statement.file;
  error.line = statement.line;
  refuse(executor, std::move(callback), std::move(error));
}

void PostgresStore::rows(const std::string& plugin, SqlStatement statement, Executor& executor,
                         Callback<std::unique_ptr<ports::RowCursor>> callback) {
  Error error = not_yet(plugin);
  error.file = statement.file;
  error.line = statement.line;
  refuse(executor, std::move(callback), std::move(error));
}

}  // namespace host::postgres
