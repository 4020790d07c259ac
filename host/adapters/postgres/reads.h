#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/postgres/connection.h"
#include "host/ports/store.h"

namespace host::postgres {

// Reads of one shard: what is newer than the tables is looked up before anything of them is read,
// because an entry leaves the overlay only when its table holds it. All throw Failure.

std::vector<ports::StateRow> read_states(Connection& db, const Schema& schema,
                                         PartitionNumber shard, const journal::Overlay& overlay,
                                         const std::vector<std::string>& keys);
/// What the table alone says.
ports::StateRow read_table_state(Connection& db, const Schema& schema, PartitionNumber shard,
                                 const std::string& key);
std::vector<ports::PendingRow> read_pending(Connection& db, const Schema& schema,
                                            PartitionNumber shard, const journal::Overlay& overlay,
                                            std::vector<std::int64_t> ids);
std::vector<bool> read_seen(Connection& db, const Schema& schema, PartitionNumber shard,
                            const journal::Overlay& overlay, const std::vector<std::string>& ids,
                            Time now);

// Rows that others see at once.

std::optional<ports::KeptAnswer> read_answer(Connection& db, const Schema& schema,
                                             const std::string& scope, Time now);
/// The plugins with a schema, by name.
std::vector<std::string> plugins_of(Connection& db);
bool has_plugin(Connection& db, const std::string& plugin);
std::vector<std::optional<std::string>> read_replies(Connection& db,
                                                     const std::vector<std::string>& ask_ids);

}  // namespace host::postgres
