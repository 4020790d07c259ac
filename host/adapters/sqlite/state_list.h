#pragma once

#include <string>

#include "host/adapters/sqlite/connection.h"
#include "host/adapters/sqlite/overlays.h"
#include "host/ports/store.h"

namespace host::sqlite {

/// States of all shards of a plugin merged in byte order of their keys, strictly after `after`; at
/// most `limit`, and about 8 MB. Inside the caller's snapshot, as its first read. Errors: as
/// Overlays::find(). Throws SqlFailure.
Result<ports::StateList> read_state_list(Connection& db, const Overlays& overlays,
                                         const std::string& plugin, const std::string& after,
                                         std::size_t limit);

}  // namespace host::sqlite
