#include "host/adapters/postgres/migrations.h"

#include <optional>

#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/plugin_sql.h"
#include "host/adapters/postgres/wall.h"
#include "host/adapters/sql/migration_text.h"

namespace host::postgres {
namespace {

/// The statement as PostgreSQL is given it.
std::string with_collations(const std::string& migration, const sql::Change& change) {
  std::string text = migration.substr(change.begin, change.size);
  for (auto at = change.texts.rbegin(); at != change.texts.rend(); ++at) {
    text.insert(*at - change.begin, " collate \"C\"");
  }
  return text;
}

Result<void> run_one(Connection& db, const std::string& plugin, const std::string& migration) {
  const Result<std::vector<sql::Change>> changes = sql::read_migration(migration, plugin);
  if (!changes) return changes.error();
  const Result<sql::Tokens> tokens = sql::cut(migration);
  if (!tokens) return tokens.error();
  if (Result<void> fine = check_wall(*tokens, plugin); !fine) return fine;
  for (const sql::Change& change : *changes) {
    const std::string text = with_collations(migration, change);
    try {
      db.run_once(text.c_str());
    } catch (const Failure& failure) {
      // Without the place: it is that of a text with collations in it.
      return explain_to_author(Failure(failure).at(0), text, db.limits().statement);
    }
  }
  return {};
}

std::optional<std::string> recorded(Connection& db, const Schema& schema, std::int64_t number) {
  const Rows rows =
      db.run(schema, "select hash from ~host_migration where number = $1", Params(number));
  return rows.empty() ? std::nullopt : std::optional(rows.bytes(0, 0));
}

}  // namespace

Limits migration_limits(const Limits& usual) {
  Limits limits = usual;
  limits.statement = std::chrono::hours(1);
  limits.answer = limits.statement + std::chrono::minutes(1);
  limits.idle_in_transaction = std::chrono::minutes(1);
  return limits;
}

Result<void> apply_migrations(Connection& db, const std::string& plugin,
                              const std::vector<std::string>& migrations) {
  const Schema schema = schema_of(plugin);
  Transaction transaction(db);
  const std::string lock = "host migrations of " + plugin;
  db.run_once("select pg_advisory_xact_lock(hashtextextended($1, 0))", Params(lock));
  const std::string table = "create table if not exists " + schema +
                            ".host_migration (number bigint primary key, hash text not null)";
  db.run_once(table.c_str());
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i + 1);
    const std::string hash = sql::migration_hash(migrations[i]);
    const std::optional<std::string> known = recorded(db, schema, number);
    if (known == hash) continue;
    if (known) return sql::migration_changed(plugin, i + 1);
    if (Result<void> done = run_one(db, plugin, migrations[i]); !done) {
      return make_error(done.error().code,
                        sql::migration_name(plugin, i + 1) + ": " + done.error().message,
                        done.error().hint);
    }
    db.run(schema, "insert into ~host_migration (number, hash) values ($1, $2)",
           Params(number, hash));
  }
  transaction.commit();
  return {};
}

}  // namespace host::postgres
