#pragma once

#include <string>
#include <vector>

#include "host/adapters/postgres/connection.h"
#include "host/base/result.h"

namespace host::postgres {

/// For the connection of a migration: an index over many rows takes its time; locks do not.
Limits migration_limits(const Limits& usual);

/// Brings a plugin's tables up to `migrations`, in one transaction, one process at a time. What ran
/// is recorded in the plugin's schema by number and hash. Each `text` becomes text collate "C": it
/// sorts as bytes, as SQLite does. `db`: of the plugin's own role, with migration_limits().
/// Errors: invalid, naming the migration. Throws Failure for the server's own reasons.
Result<void> apply_migrations(Connection& db, const std::string& plugin,
                              const std::vector<std::string>& migrations);

}  // namespace host::postgres
