#pragma once

#include <string>
#include <vector>

#include "host/adapters/sqlite/plugin_sql.h"
#include "host/base/result.h"

namespace host::sqlite {

/// Brings a plugin's tables up to `migrations`, inside the caller's transaction. Made tables are
/// recorded in host_plugin_table, what ran in host_migration by number and hash.
/// `made` gets the names of new tables, for the registry, once the transaction is committed.
/// Errors: invalid, naming the migration. Throws SqlFailure.
Result<void> apply_migrations(Connection& db, PluginSql& plugin_sql, const PluginTables& tables,
                              const std::string& plugin, const std::vector<std::string>& migrations,
                              std::vector<std::string>& made);

}  // namespace host::sqlite
