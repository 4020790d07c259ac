#include "host/adapters/postgres/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace host::postgres {
namespace {

std::string trimmed(const char* text) {
  std::string out(text == nullptr ? "" : text);
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  return out;
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

/// "~state" is the table of the schema.
std::string in_schema(std::string_view sql, const Schema& schema) {
  std::string out;
  out.reserve(sql.size() + 64);
  for (const char c : sql) {
    if (c == '~') {
      out += schema;
      out += '.';
    } else {
      out += c;
    }
  }
  return out;
}

bool is_error(ExecStatusType status) {
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

Conninfo asked(const Destination& where) {
  Result<Conninfo> now = where();
  if (!now) throw Failure::lost("no connection: " + now.error().to_string());
  return std::move(*now);
}

}  // namespace

std::int64_t Rows::touched() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  for (const char c : text) count = count * 10 + (c - '0');
  return count;
}

std::int64_t Rows::integer(int row, int column) const {
  const std::string_view bytes = view(row, column);
  if (bytes.empty()) return 0;
  std::uint64_t value = (bytes.front() & 0x80) != 0 && bytes.size() > 1 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

std::string_view Rows::view(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::optional<std::string> Rows::optional_bytes(int row, int column) const {
  return is_null(row, column) ? std::nullopt : std::optional(bytes(row, column));
}

std::optional<Time> Rows::optional_time(int row, int column) const {
  return is_null(row, column) ? std::nullopt : std::optional(time(row, column));
}

Failure failure_of(const PGresult* result) {
  const std::string state = field(result, PG_DIAG_SQLSTATE);
  const std::string text = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state.empty()) return Failure::lost(trimmed(PQresultErrorMessage(result)));
  return Failure(state, text, field(result, PG_DIAG_MESSAGE_HINT))
      .at(std::atoi(field(result, PG_DIAG_STATEMENT_POSITION).c_str()));
}

Connection::Connection(const Conninfo& where, const Limits& limits, const Schema& schema)
    : limits_(limits),
      session_(std::make_unique<Session>(where.prepared(limits, schema))),
      socket_(PQsocket(session_->native())) {
  PQsetnonblocking(native(), 1);
}

Connection::Connection(const Destination& where, const Limits& limits, const Schema& schema)
    : Connection(asked(where), limits, schema) {}

Connection::~Connection() = default;

bool Connection::usable() const { return !lost_ && PQstatus(native()) == CONNECTION_OK; }

bool Connection::still_there() {
  if (!usable()) return false;
  pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
  // What an idle connection has to say is its end, or a changed setting of the server.
  while (::poll(&ready, 1, 0) > 0) {
    if (PQconsumeInput(native()) == 0) lost_ = true;
    if (!usable()) return false;
  }
  return true;
}

void Connection::cut() noexcept { ::shutdown(socket_, SHUT_RDWR); }

void Connection::lose(const std::string& why) {
  lost_ = true;
  throw Failure::lost(why);
}

Connection::Deadline Connection::deadline() const {
  return std::chrono::steady_clock::now() + limits_.answer;
}

ResultHolder Connection::next_result(Deadline until) {
  while (true) {
    const int unsent = PQflush(native());
    if (unsent < 0) lose("the connection is lost: " + trimmed(PQerrorMessage(native())));
    if (PQisBusy(native()) == 0) return ResultHolder(PQgetResult(native()));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) lose("the database does not answer");
    pollfd ready{.fd = socket_,
                 .events = static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
                 .revents = 0};
    ::poll(&ready, 1, static_cast<int>(left.count()) + 1);
    if ((ready.revents & (POLLIN | POLLERR | POLLHUP)) != 0 && PQconsumeInput(native()) == 0) {
      lose("the connection is lost: " + trimmed(PQerrorMessage(native())));
    }
  }
}

ResultHolder Connection::only_result() {
  const Deadline until = deadline();
  ResultHolder answer = next_result(until);
  if (!answer) lose("the database gave no answer");
  while (ResultHolder more = next_result(until)) {
    if (!is_error(PQresultStatus(answer.get()))) answer = std::move(more);
  }
  if (!is_error(PQresultStatus(answer.get()))) return answer;
  if (PQstatus(native()) == CONNECTION_BAD) lost_ = true;
  throw failure_of(answer.get());
}

const char* Connection::prepared(const Schema& schema, const char* sql, const Params& params) {
  std::string key = schema + '\n' + sql;
  const auto known = statements_.find(key);
  if (known != statements_.end()) return known->second.c_str();
  const std::string name = "s" + std::to_string(statements_.size() + 1);
  const std::string text = in_schema(sql, schema);
  if (PQsendPrepare(native(), name.c_str(), text.c_str(), params.count(), params.types()) == 0) {
    lose("nothing can be sent: " + trimmed(PQerrorMessage(native())));
  }
  only_result();
  return statements_.emplace(std::move(key), name).first->second.c_str();
}

Rows Connection::run(const Schema& schema, const char* sql, const Params& params) {
  const char* name = prepared(schema, sql, params);
  if (PQsendQueryPrepared(native(), name, params.count(), params.values(), params.lengths(),
                          params.formats(), 1) == 0) {
    lose("nothing can be sent: " + trimmed(PQerrorMessage(native())));
  }
  return Rows(only_result());
}

ResultHolder Connection::run_once(const char* sql, const Params& params, bool binary) {
  if (PQsendQueryParams(native(), sql, params.count(), params.types(), params.values(),
                        params.lengths(), params.formats(), binary ? 1 : 0) == 0) {
    lose("nothing can be sent: " + trimmed(PQerrorMessage(native())));
  }
  return only_result();
}

void Connection::rollback() noexcept {
  if (!usable() || !in_transaction()) return;
  try {
    run_once("rollback");
  } catch (const Failure&) {
    lost_ = true;  // the server ends the transaction with the connection
  }
}

Transaction::Transaction(Connection& db, Kind kind) : db_(db) {
  db_.run_once(kind == Kind::snapshot
                   ? "begin transaction isolation level repeatable read, read only"
                   : "begin");
}

void Transaction::commit() {
  const Rows done(db_.run_once("commit"));
  if (std::string_view(done.tag()) != "COMMIT") {
    throw Failure("40000", "the transaction was rolled back");
  }
}

}  // namespace host::postgres
