#include "host/adapters/sqlite/connection.h"

#include "host/base/check.h"

namespace host::sqlite {

Statement::~Statement() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::bind(int at, std::string_view text) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  check(sqlite3_bind_text64(statement_, at, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind(int at, Blob blob) {
  const char* data = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
  check(sqlite3_bind_blob64(statement_, at, data, blob.bytes.size(), SQLITE_STATIC));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  throw last_failure(db_);
}

std::string_view Statement::view(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::optional<std::string> Statement::optional_bytes(int column) const {
  if (is_null(column)) return std::nullopt;
  return bytes(column);
}

std::optional<Time> Statement::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

Connection::Connection(const std::string& path) : session_(path) {
  sqlite3* db = native();
  sqlite3_extended_result_codes(db, 1);
  // "text" in double quotes is a mistake, not a string; a schema that came from elsewhere may not
  // call functions; nobody writes to sqlite_master.
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 64 << 20);
}

StatementHolder Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(native(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    throw last_failure(native());
  }
  return StatementHolder(statement);
}

sqlite3_stmt* Connection::cached(const char* sql) {
  const auto found = cache_.find(sql);
  if (found != cache_.end()) {
    HOST_DCHECK(!sqlite3_stmt_busy(found->second.get()), "a cached statement is used twice");
    return found->second.get();
  }
  return cache_.emplace(sql, prepare(sql)).first->second.get();
}

void Connection::rollback() noexcept {
  if (!in_transaction()) return;
  // It fails only when SQLite has already rolled back.
  sqlite3_exec(native(), "rollback", nullptr, nullptr, nullptr);
}

Snapshot::Snapshot(Connection& db) : db_(db), mine_(!db.in_transaction()) {
  if (mine_) db_.run("begin");
}

Snapshot::~Snapshot() {
  if (mine_) db_.rollback();
}

}  // namespace host::sqlite
