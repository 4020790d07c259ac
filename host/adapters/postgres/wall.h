#pragma once

#include <string>

#include "host/adapters/sql/text.h"
#include "host/base/result.h"

namespace host::postgres {

/// Refuses, with a clear word, what a statement of a plugin has no business with: names of the
/// server and the host, functions that change the session, reach files or run texts, `select into`.
/// The wall itself is the plugin's login role, which reaches nothing; this is what keeps it from
/// the host's own tables beside its own, and what is left where all share one role.
/// `tokens`: of a statement, or of a migration. Errors: invalid.
Result<void> check_wall(const sql::Tokens& tokens, const std::string& plugin);

}  // namespace host::postgres
