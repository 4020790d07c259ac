#pragma once

#include <string>
#include <vector>

#include "host/adapters/postgres/connection.h"
#include "host/core/ids.h"
#include "host/ports/store.h"

namespace host::postgres {

// How rows become values. All throw Failure.

/// Of a column of the host's own. A damaged one throws.
Headers headers_of(std::string_view bytes);

/// bytes, version, quiet_until from a column on.
ports::StateRow state_row(const Rows& rows, int row, int first_column);

/// The columns of pending rows; payload and headers are the last two, and only with `whole`.
extern const char* const kPendingColumns;
ports::PendingRow pending_row(const Rows& rows, int row, bool whole);

/// What the tables say of a shard: offsets, pending rows without their payload, marks, `every`.
void read_tables(Connection& db, const Schema& schema, PartitionNumber shard,
                 ports::ShardImage& image);
/// In order of (due, id), strictly after a place.
std::vector<ports::TimerRow> read_timers(Connection& db, const Schema& schema,
                                         PartitionNumber shard, Time after,
                                         const std::string& after_id, std::size_t limit);

}  // namespace host::postgres
