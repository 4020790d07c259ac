#pragma once

#include "host/base/result.h"

namespace host::postgres {

/// libpq and SOCI's backend are loaded when the first process needs them: with them come libraries
/// for Kerberos, LDAP and a second TLS, which would take 3 MB of every host that has no PostgreSQL.
/// Conninfo::parse() calls it, and without a Conninfo there is no connection. Thread-safe,
/// idempotent. Errors: unavailable (they are not installed).
Result<void> load_client_library();

}  // namespace host::postgres
