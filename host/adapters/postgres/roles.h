#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/adapters/postgres/connection.h"
#include "host/base/result.h"

namespace host::postgres {

/// The login role that runs SQL of a plugin and reaches nothing else: host_owls.
std::string role_of(const std::string& host_role, const std::string& plugin);

/// What `host db init` makes in one database.
struct Roles {
  std::string host = "host";  // owns the schemas
  std::vector<std::string> plugins;
  /// The password of a role; nothing: it keeps the one it has. Its errors end the run.
  std::function<Result<std::optional<std::string>>(const std::string& role)> password;
};

/// Makes the host's role, a login role, a schema and grants per plugin, and takes from PUBLIC what
/// would let a plugin's role reach more: all or nothing, and nothing twice. `admin` is a connection
/// to the database of a role that may make roles. Passwords reach the server as SCRAM digests.
/// Returns what was done, line by line, for people.
/// Errors: invalid (a role that is there already may do more than a plugin's may; a new role has no
/// password), unavailable.
Result<std::vector<std::string>> init_roles(Connection& admin, const Roles& roles);

/// Why this connection's role is no wall around the plugin's SQL ("" when it is one), to be said at
/// the start: a superuser, or one that reaches other plugins' schemas. Throws Failure.
std::string wall_problem(Connection& db, const std::string& plugin);

}  // namespace host::postgres
