// Queries of plugins: one round trip, in a transaction that only reads.
#include <utility>

#include "host/adapters/postgres/plugin_values.h"
#include "host/adapters/postgres/values.h"
#include "host/adapters/sql/answers.h"

namespace host::postgres {
namespace {

/// The statements of a reading, in the order of their results.
enum Place { kBegin, kTimeout, kStatement, kCommit, kPlaces };

}  // namespace

/// What a reading has come to.
struct PluginSql::Reading {
  const Columns& columns;
  const Row& row;
  std::vector<std::string> names = {};
  std::vector<Oid> types = {};
  bool told = false;
  std::optional<Failure> failure = {};  // of the server
  std::optional<Error> error = {};      // of who takes the rows

  void take(const PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR) {
      if (!failure) failure = failure_of(result);
    } else if (!failure && !error && (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)) {
      if (Result<void> fine = tell(result); !fine) error = fine.error();
      for (int i = 0; !error && i < PQntuples(result); ++i) {
        if (Result<void> fine = hand_over(result, i); !fine) error = fine.error();
      }
    }
  }

 private:
  Result<void> tell(const PGresult* result) {
    if (std::exchange(told, true)) return {};
    for (int i = 0; i < PQnfields(result); ++i) {
      names.emplace_back(PQfname(result, i));
      types.push_back(PQftype(result, i));
      if (names.back() != "?column?") continue;
      return make_error(Error::Code::invalid, "column " + std::to_string(i + 1) + " has no name",
                        "give it one: `as total`");
    }
    columns(names);
    return {};
  }

  Result<void> hand_over(const PGresult* result, int at) {
    std::vector<SqlValue> values(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const int column = static_cast<int>(i);
      if (PQgetisnull(result, at, column) != 0) continue;
      const std::string_view text(PQgetvalue(result, at, column),
                                  static_cast<std::size_t>(PQgetlength(result, at, column)));
      Result<SqlValue> value = value_of(types[i], text, names[i]);
      if (!value) return value.error();
      values[i] = std::move(*value);
    }
    return row(std::move(values));
  }
};

/// All in one go: a transaction is not held open between round trips.
void PluginSql::send_reading(const Prepared& made, const Values& values, Duration limit) {
  PGconn* const native = db_.native();
  const auto once = [&](const std::string& text) {
    return PQsendQueryParams(native, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) != 0;
  };
  const std::string timeout =
      "set local statement_timeout = " + std::to_string(limit.count() / 1000);
  if (PQenterPipelineMode(native) == 0 || !once("begin transaction read only") || !once(timeout) ||
      !put(made, values) || !once("commit") || PQpipelineSync(native) == 0) {
    cannot_send();
  }
}

Result<void> PluginSql::read(const Prepared& made, const SqlStatement& statement, Duration limit,
                             Reading& reading) {
  const Result<Values> values = Values::of(made, statement.parameters);
  if (!values) return values.error();
  send_reading(made, *values, limit);
  const auto until = db_.deadline();
  for (int place = kBegin; place < kPlaces; ++place) {
    if (place == kStatement) PQsetSingleRowMode(db_.native());
    // What nobody wants any more is read to its end: the statement's time is short.
    while (const ResultHolder result = db_.next_result(until)) reading.take(result.get());
  }
  const ResultHolder end = db_.next_result(until);
  const bool in_step = end && PQresultStatus(end.get()) == PGRES_PIPELINE_SYNC;
  if (!in_step || PQexitPipelineMode(db_.native()) == 0) {
    throw Failure::lost("the database answered out of step");
  }
  db_.rollback();
  return {};
}

Result<void> PluginSql::each_row(const SqlStatement& statement, Duration limit,
                                 const Columns& columns, const Row& row) {
  if (statements_.size() > kKeptStatements) forget_all();
  for (bool again : {true, false}) {
    const Result<Prepared*> made = prepared(statement);
    if (!made) return made.error();
    Reading reading{.columns = columns, .row = row};
    if (auto done = read(**made, statement, limit, reading); !done) return done;
    if (reading.error) return *reading.error;
    if (!reading.failure) return {};
    // "select *", and the table has got a column: it is prepared anew.
    const bool outdated = again && !reading.told && reading.failure->is("0A000");
    if (!outdated) return explain_to_author(*reading.failure, statement.text, limit);
    forget_all();
  }
  return {};
}

Result<SqlRows> PluginSql::query(const SqlStatement& statement) {
  sql::ShortAnswer answer;
  Result<void> read = each_row(
      statement, kQueryLimit,
      [&answer](std::vector<std::string> names) { answer.columns(std::move(names)); },
      [&answer](std::vector<SqlValue> row) { return answer.add(std::move(row)); });
  if (!read) return read.error();
  return std::move(answer).take();
}

}  // namespace host::postgres
