#pragma once

#include <string>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/images.h"
#include "host/adapters/postgres/tails.h"
#include "host/ports/store.h"

namespace host::postgres {

/// A page of a plugin's states of all shards, whoever owns them; about 8 MB at most. On the thread
/// of `tails`. Errors: corrupt, unsupported (of a shard's journal). Throws Failure.
Result<ports::StateList> read_state_list(Connection& db, const Images& images, Tails& tails,
                                         const std::string& plugin, const std::string& after,
                                         std::size_t limit);

}  // namespace host::postgres
