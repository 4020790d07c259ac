#include "host/adapters/sqlite/migrations.h"

#include <algorithm>

#include "host/adapters/sql/migration_text.h"
#include "host/adapters/sqlite/schema.h"

namespace host::sqlite {
namespace {

Error invalid(std::string message, std::string hint = {}) {
  return make_error(Error::Code::invalid, std::move(message), std::move(hint));
}

/// Runs all statements of one migration.
Result<void> run_one(PluginSql& plugin_sql, const PluginTables& tables, const std::string& plugin,
                     const std::string& migration, std::vector<std::string>& made) {
  const Result<std::vector<sql::Change>> changes = sql::read_migration(migration, plugin);
  if (!changes) return changes.error();
  for (const sql::Change& change : *changes) {
    const std::string owner = tables.owner(change.table);
    if ((!owner.empty() && owner != plugin) || change.table.starts_with(kHostPrefix)) {
      return invalid("table " + change.table + " belongs to " +
                     (owner.empty() ? "the host" : "plugin " + owner));
    }
    const bool own =
        !owner.empty() || std::find(made.begin(), made.end(), change.table) != made.end();
    const bool makes_table = change.kind == sql::Change::Kind::create_table;
    if (!makes_table && !own) {
      return invalid("plugin " + plugin + " has no table " + change.table);
    }
    const std::string_view text = std::string_view(migration).substr(change.begin, change.size);
    if (Result<void> done = plugin_sql.migrate(plugin, text); !done) return done;
    if (makes_table && !own) made.push_back(change.table);
  }
  return {};
}

}  // namespace

Result<void> apply_migrations(Connection& db, PluginSql& plugin_sql, const PluginTables& tables,
                              const std::string& plugin, const std::vector<std::string>& migrations,
                              std::vector<std::string>& made) {
  made.clear();
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    const std::string which = sql::migration_name(plugin, i + 1);
    const std::string hash = sql::migration_hash(migrations[i]);
    std::string recorded;
    {
      Statement row = db.query("select hash from host_migration where plugin = ? and number = ?",
                               plugin, i + 1);
      if (row.step()) recorded = row.bytes(0);
    }
    if (recorded == hash) continue;
    if (!recorded.empty()) {
      return sql::migration_changed(plugin, i + 1);
    }
    if (Result<void> done = run_one(plugin_sql, tables, plugin, migrations[i], made); !done) {
      return make_error(done.error().code, which + ": " + done.error().message, done.error().hint);
    }
    db.run("insert into host_migration (plugin, number, hash) values (?, ?, ?)", plugin, i + 1,
           hash);
  }
  for (const std::string& table : made) {
    db.run("insert into host_plugin_table (name, plugin) values (?, ?)", table, plugin);
  }
  return {};
}

}  // namespace host::sqlite
