#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/health.h"
#include "host/adapters/postgres/images.h"
#include "host/adapters/postgres/meters.h"
#include "host/adapters/postgres/pipeline.h"
#include "host/ports/clock.h"
#include "host/ports/logger.h"
#include "host/ports/store.h"

namespace host::postgres {

/// What a commit needs beside its connection. Outlives those that use it.
struct CommitContext {
  Images& images;
  const ports::Clock& clock;
  UnitSql& units;
  ports::Logger* logger = nullptr;
  Health& health;
  const Meters& meters;
};

/// Carries out commits of one plugin's shards, no shard twice, in one transaction; when that is
/// refused, each in one of its own, so that one does not take the others along. Several have no SQL
/// of plugins and no answers among them. Their results, in order. On the worker of the shards;
/// never throws.
std::vector<ports::CommitResult> carry_out(Connection& db,
                                           std::span<const ports::ShardCommit* const> commits,
                                           const CommitContext& context);

/// Takes a shard of a plugin whose schema is there, and remembers it as ours. On the worker of the
/// shard. Errors: corrupt, unsupported. Throws Failure.
Result<ports::ShardImage> take_shard(Connection& db, const ShardRef& shard, Images& images,
                                     const journal::Bounds& bounds);

/// Writes at most `limit` of a shard's oldest entries into their tables. False: there was nothing,
/// or the shard is not ours any more and forgotten. On the worker of the shard. Throws Failure.
bool carry_over(Connection& db, const ShardRef& shard, Images& images, std::size_t limit);

}  // namespace host::postgres
