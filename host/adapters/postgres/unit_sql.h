#pragma once

#include <string>

#include "host/adapters/postgres/connection.h"
#include "host/base/result.h"
#include "host/core/unit_of_work.h"

namespace host::postgres {

/// How the commit runs SQL of plugins. The pipeline of a commit is
///
///   BEGIN; fence; journal; slice of the checkpoint; replies ...; the units' statements; COMMIT
///
/// on a connection whose unqualified names are those of the plugin's schema, and whose role is the
/// plugin's where it has one. Each statement gives exactly one result. When one fails (and not for
/// a reason of the server's), nothing is written, and the same units are tried once more with a
/// savepoint each, to name all that fail: so send() can be called several times for a statement.
/// On the threads of the commit's connections: thread-safe, or without state.
class UnitSql {
 public:
  virtual ~UnitSql() = default;

  /// Sends one statement into the open pipeline (PQsendQueryParams, result in text or binary: it
  /// is thrown away). Errors: invalid; then nothing was sent, and its unit has failed. `error` is
  /// without place: the commit fills in file and line.
  virtual Result<void> send(Connection& db, const std::string& plugin,
                            const SqlStatement& statement) = 0;
  /// The Error of a statement that the server refused, for the script's author; environment
  /// failures (is_environment()) do not come here, but 57014, its own time being over, does.
  virtual Error explain(const Failure& failure, const SqlStatement& statement) = 0;
};

}  // namespace host::postgres
