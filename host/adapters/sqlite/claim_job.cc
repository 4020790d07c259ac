#include <algorithm>
#include <chrono>

#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/rows.h"

namespace host::sqlite {
namespace {

using ports::ShardImage;

/// Takes the row: the epoch rises, at least to the clock, so that ids ascend after a restore too.
std::int64_t take_row(Connection& db, const ShardRef& shard, Time now, ShardImage& image) {
  const std::int64_t clock_ms = to_micros(now) / 1000;
  Statement row = db.query(
      "insert into host_shard (plugin, number, epoch, commit_no, seq, acked_seq, state_version,"
      " claims) values (?1, ?2, ?3, 0, 0, 0, 0, 1) on conflict (plugin, number) do update set"
      " epoch = max(epoch + 1, excluded.epoch), claims = claims + 1"
      " returning id, epoch, commit_no, seq, acked_seq, state_version",
      shard.plugin, shard.number, clock_ms);
  row.step();
  const std::int64_t id = row.integer(0);
  image.epoch = row.integer(1);
  image.commit_no = row.integer(2);
  image.seq = row.integer(3);
  image.acked_seq = row.integer(4);
  image.state_version = static_cast<int>(row.integer(5));
  row.run();
  return id;
}

void read_image(Connection& db, std::int64_t id, ShardImage& image) {
  Statement offsets = db.query("select topic, next from host_shard_offset where shard = ?", id);
  while (offsets.step()) image.next_offsets[offsets.bytes(0)] = offsets.integer(1);

  Statement pending = db.query(
      "select id, key, kind, message_id, topic, time, attempt, due, stopped, last_error"
      " from host_pending where shard = ? order by id",
      id);
  while (pending.step()) image.pending.push_back(pending_row(pending, false));

  Statement marks =
      db.query("select topic, partition, stream, epoch, seq from host_mark where shard = ?", id);
  while (marks.step()) {
    image.marks.push_back({.topic = marks.bytes(0),
                           .partition = static_cast<PartitionNumber>(marks.integer(1)),
                           .stream = marks.bytes(2),
                           .position = {.epoch = marks.integer(3), .seq = marks.integer(4)}});
  }
  Statement every = db.query("select name, due from host_every_next where shard = ?", id);
  while (every.step()) image.every_next[every.bytes(0)] = every.time(1);
}

class ClaimJob final : public WriteJob {
 public:
  ClaimJob(ShardRef shard, Executor& executor, ports::Store::Callback<ShardImage> callback)
      : shard_(std::move(shard)), executor_(executor), callback_(std::move(callback)) {}

  Result<void> apply(Round& round) override {
    image_ = {};
    read_image(round.db, take_row(round.db, shard_, round.now, image_), image_);
    return {};
  }

  void finish(Ending ending) override {
    Result<ShardImage> answer = ending.kind == Ending::Kind::committed
                                    ? Result<ShardImage>(std::move(image_))
                                    : Result<ShardImage>(std::move(ending.error));
    executor_.post([callback = std::move(callback_), answer = std::move(answer)]() mutable {
      callback(std::move(answer));
    });
  }

 private:
  ShardRef shard_;
  Executor& executor_;
  ports::Store::Callback<ShardImage> callback_;
  ShardImage image_;
};

}  // namespace

std::unique_ptr<WriteJob> make_claim_job(ShardRef shard, Executor& executor,
                                         ports::Store::Callback<ShardImage> callback) {
  return std::make_unique<ClaimJob>(std::move(shard), executor, std::move(callback));
}

}  // namespace host::sqlite
