#pragma once

#include <string>

#include "host/adapters/postgres/connection.h"
#include "host/base/result.h"
#include "host/core/unit_of_work.h"

namespace host::postgres {

/// How long one statement of a unit may hold up the commits of its plugin.
inline constexpr Duration kUnitLimit = std::chrono::seconds(1);

/// How the commit runs SQL of plugins. The pipeline of a commit is
///
///   BEGIN; fence; journal; slice of the checkpoint; replies ...; the units' statements, each at
///   most kUnitLimit; COMMIT
///
/// on a connection whose unqualified names are those of the plugin's schema, and whose role is the
/// plugin's where it has one. Each statement gives exactly one result. When one fails (and not for
/// a reason of the server's), nothing is written, and the same units are tried once more with a
/// savepoint each, to name all that fail: so send() can be called several times for a statement.
/// On the threads of the commit's connections: thread-safe, or without state.
class UnitSql {
 public:
  virtual ~UnitSql() = default;

  /// Comes for each statement before the pipeline begins, outside of a transaction: which types its
  /// parameters have is for the server to say. Blocks for a round trip or two the first time that a
  /// connection sees a text, else not at all. Errors: invalid; then its unit has failed. Throws
  /// Failure for the server's own reasons (is_environment()).
  virtual Result<void> prepare(Connection& db, const std::string& plugin,
                               const SqlStatement& statement) = 0;
  /// Sends one statement that was prepared into the open pipeline; its result is thrown away.
  /// Errors: invalid; then nothing was sent, and its unit has failed. `error` is without place: the
  /// commit fills in file and line.
  virtual Result<void> send(Connection& db, const std::string& plugin,
                            const SqlStatement& statement) = 0;
  /// The Error of a statement that the server refused, for the script's author; environment
  /// failures (is_environment()) do not come here, but 57014, its own time being over, does.
  /// Throws Failure when the commit is to be repeated: a table has changed under the statement.
  virtual Error explain(Connection& db, const std::string& plugin, const Failure& failure,
                        const SqlStatement& statement) = 0;
};

}  // namespace host::postgres
