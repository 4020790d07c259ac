#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "host/adapters/postgres/conninfo.h"
#include "host/adapters/postgres/errors.h"
#include "host/adapters/postgres/params.h"
#include "host/adapters/postgres/session.h"

namespace host::postgres {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHolder = std::unique_ptr<PGresult, ClearResult>;

/// The rows of a statement of ours, in binary. Views live as long as it does.
class Rows {
 public:
  explicit Rows(ResultHolder result) : result_(std::move(result)) {}

  int size() const { return PQntuples(result_.get()); }
  bool empty() const { return size() == 0; }
  /// Rows that an insert, update or delete touched.
  std::int64_t touched() const;
  /// "COMMIT", "INSERT 0 1", ...
  const char* tag() const { return PQcmdStatus(result_.get()); }

  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  /// Of int8, int4, int2 and bool.
  std::int64_t integer(int row, int column) const;
  bool flag(int row, int column) const { return integer(row, column) != 0; }
  Time time(int row, int column) const { return from_micros(integer(row, column)); }
  /// Of text and bytea alike.
  std::string_view view(int row, int column) const;
  std::string bytes(int row, int column) const { return std::string(view(row, column)); }
  std::optional<std::string> optional_bytes(int row, int column) const;
  std::optional<Time> optional_time(int row, int column) const;

 private:
  ResultHolder result_;
};

/// What a statement's text names as "~table" is the table of this schema (already quoted).
using Schema = std::string;

/// A connection with the host's prepared statements, which are made at their first use and die with
/// it: who lost a connection makes a new one. Everything has a deadline (Limits::answer); after it,
/// and after any loss, usable() is false for good.
///
/// native() is for pipelines and plugin SQL; it is in non-blocking mode, which PQexec and its
/// kin do not mind. Throws Failure. Not thread-safe but for cut().
class Connection {
 public:
  /// Blocks, at most Limits::connect. Unqualified names are those of `schema` (may be empty).
  Connection(const Conninfo& where, const Limits& limits, const Schema& schema = {});
  Connection(const Destination& where, const Limits& limits, const Schema& schema = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Session& session() { return *session_; }
  PGconn* native() const { return session_->native(); }
  const Limits& limits() const { return limits_; }
  int backend_pid() const { return PQbackendPID(native()); }

  /// One statement of ours, one round trip, prepared.
  Rows run(const Schema& schema, const char* sql, const Params& params = {});
  /// One statement without parameters, whose answer is of no interest.
  void execute(const std::string& sql) { run_once(sql.c_str()); }
  /// One statement that is not prepared; text format where `binary` is false.
  ResultHolder run_once(const char* sql, const Params& params = {}, bool binary = true);
  /// The name of a prepared statement, which is made when it is not there yet.
  const char* prepared(const Schema& schema, const char* sql, const Params& params);

  bool usable() const;
  /// It is not used any more: nobody knows in which state it is.
  void give_up() noexcept { lost_ = true; }
  /// False: the server ended it while nobody asked it anything. Does not wait.
  bool still_there();
  bool in_transaction() const { return PQtransactionStatus(native()) != PQTRANS_IDLE; }
  /// Ends the transaction if there is one; what cannot be ended makes the connection unusable.
  void rollback() noexcept;

  /// The next result of what was sent (null: the statement's end), waiting at most until the
  /// deadline. Sends what waits to be sent. Throws Failure::lost().
  using Deadline = std::chrono::steady_clock::time_point;
  Deadline deadline() const;
  ResultHolder next_result(Deadline until);

  /// What plugin SQL keeps with this connection (plugin_sql.h); it goes with it.
  std::shared_ptr<void> plugin_sql;

  /// Ends what waits for the server, now and from now on. Thread-safe while the connection lives.
  void cut() noexcept;

 private:
  ResultHolder only_result();
  [[noreturn]] void lose(const std::string& why);

  const Limits limits_;
  std::unique_ptr<Session> session_;
  const int socket_;
  bool lost_ = false;
  std::unordered_map<std::string, std::string> statements_;  // schema and text -> name
};

/// The Failure that a result stands for. Its status is PGRES_FATAL_ERROR.
Failure failure_of(const PGresult* result);

/// A transaction of one connection; what was not committed is rolled back.
class Transaction {
 public:
  enum class Kind { write, snapshot };  // snapshot: reads see one moment
  explicit Transaction(Connection& db, Kind kind = Kind::write);
  ~Transaction() { db_.rollback(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  /// Throws Failure also when the server answers something else than COMMIT.
  void commit();

 private:
  Connection& db_;
};

}  // namespace host::postgres
