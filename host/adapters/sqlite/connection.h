#pragma once

#include <sqlite3.h>

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/adapters/sqlite/errors.h"
#include "host/adapters/sqlite/session.h"
#include "host/base/time.h"

namespace host::sqlite {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementHolder = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// A parameter that is stored as a BLOB.
struct Blob {
  std::string_view bytes;
};

/// A statement of the connection's cache while it is used: bound, stepped, reset at the end.
/// Throws SqlFailure. Not thread-safe.
class Statement {
 public:
  template <class... Args>
  Statement(sqlite3* db, sqlite3_stmt* statement, const Args&... args)
      : db_(db), statement_(statement) {
    int at = 0;
    (bind(++at, args), ...);
  }
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  template <std::integral T>
  void bind(int at, T value) {
    check(sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value)));
  }
  void bind(int at, Time value) { bind(at, to_micros(value)); }
  void bind(int at, std::nullptr_t) { check(sqlite3_bind_null(statement_, at)); }
  void bind(int at, std::string_view text);
  void bind(int at, Blob blob);
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    value ? bind(at, *value) : bind(at, nullptr);
  }

  /// True: there is a row.
  bool step();
  void run() {
    while (step()) {
    }
  }

  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  Time time(int column) const { return from_micros(integer(column)); }
  /// Of text and BLOBs alike. The view lives until the next step.
  std::string_view view(int column) const;
  std::string bytes(int column) const { return std::string(view(column)); }
  std::optional<std::string> optional_bytes(int column) const;
  std::optional<Time> optional_time(int column) const;

 private:
  void check(int code) {
    if (code != SQLITE_OK) throw last_failure(db_);
  }

  sqlite3* db_;
  sqlite3_stmt* statement_;
};

/// A connection to the data file with the host's prepared statements. Throws SqlFailure.
/// Not thread-safe: one thread at a time.
class Connection {
 public:
  explicit Connection(const std::string& path);

  Session& session() { return session_; }
  sqlite3* native() const { return session_.native(); }

  /// Runs a cached statement to its end; the number of rows that it changed.
  template <class... Args>
  int run(const char* sql, const Args&... args) {
    Statement(native(), cached(sql), args...).run();
    return sqlite3_changes(native());
  }
  /// The arguments must outlive the statement, and the same text is not used twice at a time.
  template <class... Args>
  Statement query(const char* sql, const Args&... args) {
    return Statement(native(), cached(sql), args...);
  }
  StatementHolder prepare(std::string_view sql);

  /// False inside a transaction; SQLite may end one by itself when a statement fails.
  bool in_transaction() const { return sqlite3_get_autocommit(native()) == 0; }
  /// Ends the transaction if there still is one.
  void rollback() noexcept;

 private:
  sqlite3_stmt* cached(const char* sql);

  Session session_;
  std::unordered_map<std::string_view, StatementHolder> cache_;  // keys are literals
};

/// Reads see one snapshot while it lives. Ends without effect.
class Snapshot {
 public:
  explicit Snapshot(Connection& db);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Connection& db_;
  bool mine_ = false;  // inside a transaction there already is one
};

}  // namespace host::sqlite
