#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/sqlite/connection.h"

namespace host::sqlite {

// The tables that hold a shard's image, and its journal's rows. All throw SqlFailure.

/// The row id of a shard's journal record: the records of a shard lie together, in their order.
constexpr std::int64_t journal_row(std::int64_t shard, std::int64_t commit_no) {
  return (shard << 40) + commit_no;
}
void insert_record(Connection& db, std::int64_t shard, std::int64_t commit_no,
                   std::string_view data);

/// Brings the tables up to date with a slice and drops the records that are of no use afterwards.
void write_slice(Connection& db, std::int64_t shard, const journal::Slice& slice);

/// What the tables say of a shard: offsets, pending rows without their payload, marks, `every`.
void read_tables(Connection& db, std::int64_t shard, ports::ShardImage& image);
std::vector<ports::TimerRow> read_timers(Connection& db, std::int64_t shard,
                                         const journal::Overlay::TimerPlace& after,
                                         std::size_t limit);

}  // namespace host::sqlite
