#pragma once

#include <optional>
#include <string>

#include "host/adapters/postgres/connection.h"
#include "host/ports/store.h"

namespace host::postgres {

/// A page of the dead letters of a plugin, or of all: newest first. Errors: invalid (`after` is no
/// place in them). Throws Failure.
Result<ports::DeadList> read_dead_list(Connection& db, const std::string& plugin_or_empty,
                                       const std::string& after, std::size_t limit);
/// Errors: not_found. Throws Failure.
Result<ports::DeadLetter> read_dead_letter(Connection& db, const std::string& plugin,
                                           const std::string& id);

}  // namespace host::postgres
