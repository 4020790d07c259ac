#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/postgres/connection.h"
#include "host/core/ids.h"

namespace host::postgres {

/// What is newer than the tables of shards that others own, as their journals say. What was decoded
/// once is kept and brought up to date. On one thread, and each answer is for the snapshot in which
/// it was read: who reads the tables afterwards does it in the same one.
class Tails {
 public:
  explicit Tails(journal::Bounds bounds) : bounds_(bounds) {}

  /// Null: the shard was never claimed. Borrowed until the next call. Errors: corrupt, unsupported.
  /// Throws Failure.
  Result<const journal::Overlay*> read(Connection& db, const Schema& schema, const ShardRef& shard);

 private:
  struct Tail {
    std::int64_t epoch = 0;
    std::int64_t commit_no = 0;  // it knows all records up to it
    std::unique_ptr<journal::Overlay> overlay;
  };
  void make_room();

  const journal::Bounds bounds_;
  std::map<ShardRef, Tail> tails_;
};

}  // namespace host::postgres
