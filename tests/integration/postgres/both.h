#pragma once

// The same statements on SQLite and on PostgreSQL, and their answers as JSON.

#include <charconv>
#include <cmath>

#include "host/adapters/sqlite/database.h"
#include "tests/contract/store_support.h"
#include "tests/integration/postgres/sql_support.h"
#include "tests/integration/sqlite/support.h"

namespace host::postgres_tests {

/// As bindings and codec print a value: integral numbers as "5", NULL is absent.
inline std::string json_of(const SqlValue& value) {
  char digits[32];
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value)) {
    if (std::nearbyint(*real) == *real && std::fabs(*real) < 9e15) {
      return std::to_string(static_cast<std::int64_t>(*real));
    }
    return {digits, std::to_chars(std::begin(digits), std::end(digits), *real).ptr};
  }
  std::string out = "\"";
  for (const char c : std::get<std::string>(value)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

inline std::string json_of(const SqlRows& rows) {
  std::string out = "[";
  for (const auto& row : rows.rows) {
    std::string fields;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (std::holds_alternative<std::monostate>(row[i])) continue;
      fields += (fields.empty() ? "\"" : ",\"") + rows.columns[i] + "\":" + json_of(row[i]);
    }
    out += (out.size() > 1 ? ",{" : "{") + fields + "}";
  }
  return out + "]";
}

/// A plugin's tables on both.
class Both {
 public:
  Both(const std::string& plugin, const std::vector<std::string>& tables)
      : plugin_(plugin),
        sqlite_(folder_.path(), false),
        database_({plugin}),
        postgres_(database_.as_plugin(plugin)) {
    must(sqlite_.store().open_deployment(4));
    must(sqlite_.store().migrate(plugin, tables));
    database_.migrate(plugin, tables);
    image_ = sqlite_.claim(shard_);
  }

  /// Both carry it out, or both refuse it.
  void write(const SqlStatement& statement) {
    CAPTURE(statement.text);
    must(write_sqlite(statement));
    must(postgres_tests::write(*postgres_, plugin_, statement));
  }
  /// The errors of SQLite and PostgreSQL.
  std::pair<std::string, std::string> refused(const SqlStatement& statement) {
    CAPTURE(statement.text);
    const auto one = write_sqlite(statement);
    const auto other = postgres_tests::write(*postgres_, plugin_, statement);
    REQUIRE_FALSE(one.ok());
    REQUIRE_FALSE(other.ok());
    CHECK(one.error().code == other.error().code);
    return {one.error().to_string(), other.error().to_string()};
  }
  /// The answer, which is the same.
  std::string query(const SqlStatement& statement) {
    CAPTURE(statement.text);
    const std::string one = json_of(must(sqlite_.query(plugin_, statement)));
    const std::string other = json_of(must(query_postgres(statement)));
    CHECK(one == other);
    return other;
  }
  std::string query(const std::string& text, SqlParameters parameters = {}) {
    return query(SqlStatement{text, std::move(parameters)});
  }
  Result<SqlRows> query_postgres(const SqlStatement& statement) {
    return postgres_tests::query(*postgres_, plugin_, statement);
  }
  std::string why(const SqlStatement& statement) {
    const auto answered = query_postgres(statement);
    REQUIRE_FALSE(answered.ok());
    return answered.error().to_string();
  }
  void check(const std::string& text) {
    CAPTURE(text);
    must(sqlite_.store().check_sql(plugin_, text));
    must(PluginSql::of(*postgres_, plugin_).check(text));
  }

  PluginDatabase& database() { return database_; }
  Connection& postgres() { return *postgres_; }

 private:
  Result<void> write_sqlite(const SqlStatement& statement) {
    ports::ShardCommit commit = sqlite_tests::next_commit(shard_, image_);
    commit.units = {{"m", {statement}}};
    const ports::CommitResult result = sqlite_.commit(std::move(commit));
    if (result.status == ports::CommitResult::Status::sql_failed) {
      return result.failed.at(0).second;
    }
    REQUIRE(result.status == ports::CommitResult::Status::committed);
    ++image_.commit_no;
    return {};
  }

  const std::string plugin_;
  const ShardRef shard_{plugin_, 0};
  sqlite_tests::TemporaryFolder folder_;
  sqlite_tests::Deployment sqlite_;
  ports::ShardImage image_;
  PluginDatabase database_;
  std::unique_ptr<Connection> postgres_;
};

}  // namespace host::postgres_tests
