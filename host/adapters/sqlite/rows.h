#pragma once

#include "host/adapters/sqlite/connection.h"
#include "host/ports/store.h"

namespace host::sqlite {

/// How values of the port look as rows. All throw SqlFailure; damaged rows are SQLITE_CORRUPT.

/// The row id of a shard, 0 when it was never claimed.
std::int64_t find_shard(Connection& db, const ShardRef& shard);

/// Columns: id, key, kind, message_id, topic, time, attempt, due, stopped, last_error [, payload,
/// headers].
ports::PendingRow pending_row(const Statement& row, bool whole);

/// Columns as kDeadColumns.
extern const char* const kDeadColumns;
ports::DeadLetter dead_letter(const Statement& row);
void insert_dead_letter(Connection& db, const ports::DeadLetter& letter);

ports::StateRow state_row(const Statement& row, int first_column);

/// The answer kept for `scope` at `now`.
std::optional<ports::KeptAnswer> read_answer(Connection& db, const std::string& plugin,
                                             const std::string& scope, Time now);
void insert_answer(Connection& db, const std::string& plugin, const ports::KeptAnswer& answer);

Headers headers_of(std::string_view bytes);

}  // namespace host::sqlite
