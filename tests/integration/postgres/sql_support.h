#pragma once

// A database as `host db init` leaves it, and connections of plugins' roles.

#include <unistd.h>

#include <utility>
#include <vector>

#include "host/adapters/postgres/migrations.h"
#include "host/adapters/postgres/plugin_sql.h"
#include "host/adapters/postgres/roles.h"
#include "tests/integration/postgres/support.h"

namespace host::postgres_tests {

using postgres::Connection;
using postgres::PluginSql;

/// Roles are the server's, not the database's: who makes some, drops them.
inline void drop_roles(const TestDatabase& database, const postgres::Roles& roles) {
  try {
    std::vector<std::string> names{roles.host};
    for (const std::string& plugin : roles.plugins) {
      names.push_back(postgres::role_of(roles.host, plugin));
    }
    const auto here = database.connect_here();
    for (const std::string& name : names) {
      here->session().run("reassign owned by \"" + name + "\" to current_user");
      here->session().run("drop owned by \"" + name + "\"");
    }
    for (const std::string& name : names) here->session().run("drop role \"" + name + "\"");
  } catch (const postgres::Failure&) {
    // The server is away, and its roles with it.
  }
}

class PluginDatabase {
 public:
  explicit PluginDatabase(std::vector<std::string> plugins = {"owls", "toads"})
      : plugins_(std::move(plugins)) {
    roles_.host = "h_" + database_.name();
    roles_.plugins = plugins_;
    roles_.password = [](const std::string& role) { return std::optional("secret of " + role); };
    made_ = must(postgres::init_roles(*database_.connect_here(), roles_));
  }
  ~PluginDatabase() {
    roles_.plugins = plugins_;
    drop_roles(database_, roles_);
  }
  PluginDatabase(const PluginDatabase&) = delete;
  PluginDatabase& operator=(const PluginDatabase&) = delete;

  const TestDatabase& database() const { return database_; }
  postgres::Roles& roles() { return roles_; }
  const std::vector<std::string>& made() const { return made_; }

  std::unique_ptr<Connection> as(const std::string& role, const std::string& schema,
                                 const postgres::Limits& limits = {}) const {
    const postgres::Conninfo where = must(postgres::Conninfo::parse(database_.url()))
                                         .with("user", role)
                                         .with("password", "secret of " + role);
    return std::make_unique<Connection>(where, limits, schema);
  }
  std::unique_ptr<Connection> as_host() const { return as(roles_.host, "host"); }
  std::unique_ptr<Connection> as_plugin(const std::string& plugin) const {
    return as(postgres::role_of(roles_.host, plugin), postgres::schema_of(plugin));
  }
  std::unique_ptr<Connection> as_superuser() const { return database_.connect_here(); }

  void migrate(const std::string& plugin, const std::vector<std::string>& tables) const {
    must(postgres::apply_migrations(*as_plugin(plugin), plugin, tables));
  }

 private:
  TestDatabase database_;
  const std::vector<std::string> plugins_;
  postgres::Roles roles_;
  std::vector<std::string> made_;
};

/// Runs one statement as the commit does: prepared, then in a transaction by pipeline.
inline Result<void> write(Connection& db, const std::string& plugin,
                          const SqlStatement& statement) {
  postgres::PluginUnits sql;
  if (auto done = sql.prepare(db, plugin, statement); !done) return done;
  PGconn* const native = db.native();
  REQUIRE(PQenterPipelineMode(native) == 1);
  const auto once = [&](const char* text) {
    REQUIRE(PQsendQueryParams(native, text, 0, nullptr, nullptr, nullptr, nullptr, 0) == 1);
  };
  once("begin");
  Result<void> sent = sql.send(db, plugin, statement);
  once("commit");
  REQUIRE(PQpipelineSync(native) == 1);
  std::optional<postgres::Failure> failure;
  const auto until = db.deadline();
  for (int left = sent ? 3 : 2; left > 0; --left) {
    while (const auto result = db.next_result(until)) {
      const auto status = PQresultStatus(result.get());
      if (status == PGRES_FATAL_ERROR && !failure) failure = postgres::failure_of(result.get());
    }
  }
  REQUIRE(PQresultStatus(db.next_result(until).get()) == PGRES_PIPELINE_SYNC);
  REQUIRE(PQexitPipelineMode(native) == 1);
  db.rollback();
  if (!sent) return sent;
  if (failure) return sql.explain(db, plugin, *failure, statement);
  return {};
}

inline Result<SqlRows> query(Connection& db, const std::string& plugin,
                             const SqlStatement& statement) {
  return PluginSql::of(db, plugin).query(statement);
}

}  // namespace host::postgres_tests
