#include "host/adapters/postgres/committer.h"
#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/rows.h"

namespace host::postgres {
namespace {

using ports::ShardImage;

constexpr const char* kDivisionByZero = "22012";

/// A transaction of its own: what is read afterwards sees also the commit that it waited for. The
/// epoch rises, at least to the database's clock, so that ids ascend after a restore too.
ShardImage take_row(Connection& db, const Schema& schema, PartitionNumber shard) {
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(db.limits().claim_lock);
  Transaction transaction(db);
  db.run_once(("set local lock_timeout = " + std::to_string(wait.count())).c_str());
  const Rows row =
      db.run(schema,
             "insert into ~host_shard as s"
             " (number, epoch, commit_no, seq, acked_seq, state_version, claims)"
             " values ($1, host.clock_ms(), 0, 0, 0, 0, 1) on conflict (number) do update set"
             " epoch = greatest(s.epoch + 1, excluded.epoch), claims = s.claims + 1"
             " returning epoch, commit_no, seq, acked_seq, state_version",
             Params(shard));
  transaction.commit();
  ShardImage image;
  image.epoch = row.integer(0, 0);
  image.commit_no = row.integer(0, 1);
  image.seq = row.integer(0, 2);
  image.acked_seq = row.integer(0, 3);
  image.state_version = static_cast<int>(row.integer(0, 4));
  return image;
}

}  // namespace

Result<ShardImage> take_shard(Connection& db, const ShardRef& shard, Images& images,
                              const journal::Bounds& bounds) {
  const Schema schema = schema_of(shard.plugin);
  ShardImage image = take_row(db, schema, shard.number);
  // What is in memory may be behind: the commit before may have an unknown outcome.
  images.drop(shard);
  const auto ours = std::make_shared<Image>(bounds);
  ours->epoch = image.epoch;
  ours->commit_no = image.commit_no;
  const Transaction snapshot(db, Transaction::Kind::snapshot);
  const Result<void> tail = read_tail(db, schema, shard, 0, ours->overlay);
  if (!tail) return tail.error();
  auto outgoing = read_outbox(db, schema, shard, image.acked_seq);
  if (!outgoing) return outgoing.error();
  image.outgoing = std::move(*outgoing);
  read_tables(db, schema, shard.number, image);
  ours->overlay.lay_over(image);
  images.set(shard, ours);
  return image;
}

bool carry_over(Connection& db, const ShardRef& shard, Images& images, std::size_t limit) {
  const ImagePointer image = images.find(shard);
  if (!image) return false;
  const Schema schema = schema_of(shard.plugin);
  const journal::Slice slice = image->overlay.slice(limit);
  if (slice.size == 0) return false;
  Steps steps;
  steps.push_back(fence_without_commit(shard.number, image->epoch, image->commit_no));
  add_slice(steps, shard.number, slice);
  const PipelineEnd end = run_pipeline(db, schema, steps, nullptr);
  if (end.kind == PipelineEnd::Kind::committed) {
    image->overlay.written(slice);
    return true;
  }
  // Perhaps written, perhaps not: the entries stay, and are written once more.
  if (end.place != Step::Place::fence || !end.failure.is(kDivisionByZero)) throw end.failure;
  images.drop(shard);  // somebody else's by now
  return false;
}

}  // namespace host::postgres
