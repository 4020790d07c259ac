#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"
#include "host/ports/store.h"

namespace host::journal {

/// A pending row that a commit puts, as complete as it is known; see Overlay::complete().
struct PendingPut {
  ports::PendingRow row;
  bool replaces = false;  // its id was removed before: the table may still hold the old row
};

/// What one commit changes of its shard's image, borrowed from the commit.
struct Changes {
  const ports::ShardCommit& commit;
  std::vector<PendingPut> pending;  // in place of commit.pending_put
  /// Timers that no table may hold yet and that commit.timers or forget_timers end, by id: applied
  /// before those, which then only have the tables' timers left to end.
  std::vector<std::string> timers_ended = {};

  std::size_t size() const;  // entries
  bool empty() const { return size() == 0; }
};

/// What a later put of a row changes: everything but its message.
void bring_up_to_date(ports::PendingRow& known, const ports::PendingRow& newer);

/// One journal row: what a commit changes, with full values and tombstones, never deltas, so that
/// reading it again over tables that already hold a part of it changes nothing.
///
///   byte  version            u32  CRC32C of all that follows (fixed numbers little-endian)
///   byte  flags (1: lz4)     i64  commit number    u32  size of the body before compression
///   body: sections, each a tag, a count and so many entries, see record.cc
///
/// The version is the lowest that can read the record: 2 when it carries outgoing messages, else 1.
/// What others must see at once is no part of it: dead letters, replies, SQL of plugins.
std::string encode(const Changes& changes, std::int64_t commit_no);
/// The outgoing messages of a commit, as a record of their own: it goes when they are acknowledged,
/// long before what the others say is in the tables.
std::string encode_outgoing(const ports::ShardCommit& commit, std::int64_t commit_no);

/// A record that was read: `commit` holds the decoded lists, the others are as in
/// Changes.
struct TailRecord {
  std::int64_t commit_no = 0;
  ports::ShardCommit commit;
  std::vector<PendingPut> pending;
  std::vector<std::string> timers_ended;
};
/// Errors: corrupt (cut off, changed, of another commit number than its row says), unsupported (a
/// newer version wrote it); the message names the shard and the commit.
Result<TailRecord> decode(std::string_view bytes, const ShardRef& shard, std::int64_t commit_no);

}  // namespace host::journal
