#pragma once

#include <memory>
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

/// Carries out one commit. On the worker of its shard; never throws.
ports::CommitResult carry_out(Connection& db, const ports::ShardCommit& commit,
                              const CommitContext& context);

/// Takes a shard of a plugin whose schema is there, and remembers it as ours. On the worker of the
/// shard. Errors: corrupt, unsupported. Throws Failure.
Result<ports::ShardImage> take_shard(Connection& db, const ShardRef& shard, Images& images,
                                     const journal::Bounds& bounds);

/// Writes at most `limit` of a shard's oldest entries into their tables. False: there was nothing,
/// or the shard is not ours any more. On the worker of the shard. Throws Failure.
bool carry_over(Connection& db, const ShardRef& shard, Images& images, std::size_t limit);

}  // namespace host::postgres
