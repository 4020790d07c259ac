#pragma once

#include <optional>
#include <string>

#include "host/adapters/tokens/bearer_tokens.h"
#include "host/app/table_reader.h"
#include "host/core/manifest.h"

namespace host::app {

/// The table that says whose tokens are good: `auth` of a deployment file, or what the file of
/// --auth returns:
///   { tokens = { { token = "env:OPS", subject = "ops", roles = { "admin" } } },
///     jwt = { secret = "file:PATH", issuer = "...", audience = "...", leeway = "30s" } }
/// Secrets stand in variables and files alone. Problems go to `reader`; with one the answer is not
/// to be used.
tokens::Settings read_auth(TableReader& reader, const TableReader::Path& at,
                           const nlohmann::json& table);

/// The file of --auth. `root`: what "file:PATH" is relative to.
struct AuthResult {
  tokens::Settings auth;
  Problems problems;
};
AuthResult read_auth_file(const std::string& file, const std::string& text,
                          const std::string& root);

/// An error of loading a file of data, as a finding.
Problem problem_of(const std::string& file, const Error& error);

}  // namespace host::app
