#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/unit_sql.h"
#include "host/adapters/sql/parameters.h"
#include "host/base/result.h"
#include "host/core/unit_of_work.h"

namespace host::postgres {

/// How long a query may take that answers at once, and one whose answer may be long.
inline constexpr Duration kQueryLimit = std::chrono::seconds(1);
inline constexpr Duration kFindLimit = std::chrono::seconds(5);

/// Runs SQL that a plugin wrote on one connection of the plugin's, whose role and search_path are
/// the wall around it. Statements are prepared once a connection, text and kinds of values: the
/// server is asked with the types that values have by themselves, then with those that their places
/// want, because SQLite, for which the same texts are written, takes any value anywhere.
///
/// Errors are for the script's author: invalid (with what the server said, and where), exhausted.
/// Throws Failure for the server's own reasons. On the connection's thread only.
class PluginSql {
 public:
  /// The one of this connection, made at its first use.
  static PluginSql& of(Connection& db, const std::string& plugin);

  PluginSql(Connection& db, std::string plugin);
  PluginSql(const PluginSql&) = delete;
  PluginSql& operator=(const PluginSql&) = delete;

  /// For units of a commit, as UnitSql says.
  Result<void> prepare(const SqlStatement& statement);
  Result<void> send(const SqlStatement& statement);
  Error explain(const Failure& failure, const SqlStatement& statement);

  /// In a read-only transaction of its own; the whole answer, 16 MB at most.
  Result<SqlRows> query(const SqlStatement& statement);
  /// Reads without keeping: `columns` is told once, then `row` for each, which may end it by an
  /// error. The transaction lasts as long as this call.
  using Columns = std::function<void(std::vector<std::string>)>;
  using Row = std::function<Result<void>(std::vector<SqlValue>)>;
  Result<void> each_row(const SqlStatement& statement, Duration limit, const Columns& columns,
                        const Row& row);

  /// Parses and plans nothing: what it names must be there, and fit together.
  Result<void> check(const std::string& text);

 private:
  static constexpr std::size_t kKeptStatements = 256;
  struct Prepared {
    std::string name;  // on the server
    sql::Numbered statement;
    std::vector<std::string> names;  // of its parameters
  };
  struct Values;
  struct Reading;
  using Types = std::vector<Oid>;

  Result<Prepared*> prepared(const SqlStatement& statement);
  Result<Prepared> resolve(const std::string& text, const sql::Tokens& tokens,
                           const SqlParameters& parameters);
  std::optional<Failure> declare(const Prepared& made, Types& types, const Types& fallback);
  std::optional<Failure> try_prepare(const Prepared& made, const Types& types);
  void forget_all();
  Result<void> read(const Prepared& made, const SqlStatement& statement, Duration limit,
                    Reading& reading);
  void send_reading(const Prepared& made, const Values& values, Duration limit);
  bool put(const Prepared& made, const Values& values);
  [[noreturn]] void cannot_send();

  Connection& db_;
  const std::string plugin_;
  std::map<std::string, Prepared> statements_;  // by text and kinds of values
  std::size_t made_ = 0;                        // names are never given twice
  bool sent_ = false;                           // since the last prepare()
  bool outdated_ = false;  // a table has changed under a statement: all are prepared anew
};

/// What the server said about a plugin's statement. `limit`: that a 57014 ran out of. Throws
/// Failure where it is the server's own reason.
Error explain_to_author(const Failure& failure, const std::string& text, Duration limit);

/// SQL of units, for the commit. Immutable.
class PluginUnits final : public UnitSql {
 public:
  Result<void> prepare(Connection& db, const std::string& plugin,
                       const SqlStatement& statement) override {
    return PluginSql::of(db, plugin).prepare(statement);
  }
  Result<void> send(Connection& db, const std::string& plugin,
                    const SqlStatement& statement) override {
    return PluginSql::of(db, plugin).send(statement);
  }
  Error explain(Connection& db, const std::string& plugin, const Failure& failure,
                const SqlStatement& statement) override {
    return PluginSql::of(db, plugin).explain(failure, statement);
  }
};

}  // namespace host::postgres
