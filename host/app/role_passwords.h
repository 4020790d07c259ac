#pragma once

#include <map>
#include <optional>
#include <string>

#include "host/adapters/postgres/conninfo.h"
#include "host/base/result.h"

namespace host::app {

/// Passwords of PostgreSQL roles: files of a folder, one a role, else variables. Files are read
/// when they are asked for. Thread-safe.
class RolePasswords {
 public:
  RolePasswords() = default;
  /// `folder` may be empty; `variables` by role.
  RolePasswords(std::string folder, std::map<std::string, std::string> variables)
      : folder_(std::move(folder)), variables_(std::move(variables)) {}

  /// Nothing: the role has none here. Errors: of a file that cannot be read.
  Result<std::optional<std::string>> of(const std::string& role) const;
  /// Of the role that connects by this URL; "" where the URL has one itself, or there is none here.
  Result<std::string> of_url(const postgres::Conninfo& where) const;

 private:
  std::string folder_;
  std::map<std::string, std::string> variables_;
};

}  // namespace host::app
