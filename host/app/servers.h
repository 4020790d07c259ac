#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/adapters/kafka/options.h"
#include "host/app/role_passwords.h"
#include "host/base/result.h"

namespace host::app {

/// Where log and store are when processes share them: on Kafka and PostgreSQL.
struct Servers {
  kafka::Options log;
  std::string store;        // as postgres::Conninfo::parse() takes it
  RolePasswords passwords;  // of the plugins' roles; of none: the one role of the URL for all
};

/// What is wrong with a URL of a log, or of a store, by itself; "" when nothing is. Passwords in
/// it, but for "env:NAME" and "file:PATH", are wrong where others see them.
std::string log_url_problem(std::string_view option, const std::string& url, bool others_see_it);
std::string store_url_problem(std::string_view option, const std::string& url, bool others_see_it);

/// "embedded", or nothing said.
bool is_embedded(const std::optional<std::string>& url);

/// Nothing: both are the embedded ones. `root`: what "file:PATH" of a setting is relative to.
/// Errors: invalid (a URL; a pair that does not exist; a secret that is not there).
Result<std::optional<Servers>> read_servers(const std::optional<std::string>& log,
                                            const std::optional<std::string>& store,
                                            const RolePasswords& passwords,
                                            const std::string& root);

/// "env:NAME" and "file:PATH" (relative to `root`) give what they name, without line ends behind
/// it; any other text itself. Errors: invalid ("names the variable ..."), and those of the file.
Result<std::string> resolve_secret(const std::string& text, const std::string& root);

}  // namespace host::app
