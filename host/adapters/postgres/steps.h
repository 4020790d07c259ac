#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/postgres/connection.h"
#include "host/core/ids.h"
#include "host/ports/store.h"

namespace host::postgres {

/// One statement of ours in a commit's pipeline.
struct Step {
  /// What its failure means is said by its place, not by its SQLSTATE alone.
  enum class Place { begin, fence, answers, ours, unit, commit };
  Place place = Place::ours;
  const char* sql = nullptr;
  Params params = {};
};
using Steps = std::vector<Step>;

/// Demands epoch and commit number and moves the latter; division by zero: somebody else owns the
/// shard. The first statement of a commit: it takes the row's lock.
Step fence(const ports::ShardCommit& commit);
/// The same, and changes nothing: for bringing tables up to date beside commits.
Step fence_without_commit(PartitionNumber shard, std::int64_t epoch, std::int64_t commit_no);

/// Keeps the commit's answers; division by zero: one of their scopes has an answer already.
/// `now`: those whose time is over are no hindrance.
void add_answers(Steps& steps, const ports::ShardCommit& commit, Time now);

/// A journal record; borrowed, as all texts are, until the steps are carried out.
Step insert_record(PartitionNumber shard, std::int64_t commit_no, const std::string& record);

/// The commit's outgoing messages as a row; what is acknowledged goes, if it is to be removed.
void add_outbox(Steps& steps, const ports::ShardCommit& commit, const std::string& record,
                bool remove);

/// Brings the tables up to date with a slice and drops the records that are of no use afterwards.
void add_slice(Steps& steps, PartitionNumber shard, const journal::Slice& slice);

/// What others must see at once: dead letters, replies.
void add_shared_rows(Steps& steps, const ports::ShardCommit& commit);

}  // namespace host::postgres
