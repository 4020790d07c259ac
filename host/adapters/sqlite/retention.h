#pragma once

#include "host/adapters/sqlite/log_index.h"
#include "host/adapters/sqlite/overlays.h"
#include "host/adapters/sqlite/writer.h"
#include "host/base/result.h"

namespace host::sqlite {

/// Drops what its topic no longer keeps, by age and by size: whole batches, a slice a round, never
/// what a plugin has not read. A plugin consumes a topic when one of its shards has committed an
/// offset of it; a shard of it that has committed none has read nothing.
/// Also drops replies and answers that need not be kept any more, and forgets what `once` and
/// `forget` no longer need.
/// Waits for the writer; stops at the first error. Not from the writer's thread.
Result<void> retain(Writer& writer, LogIndex& index, const Overlays& overlays);

}  // namespace host::sqlite
