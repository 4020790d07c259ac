#include <algorithm>
#include <chrono>

#include "host/adapters/sqlite/image_tables.h"
#include "host/adapters/sqlite/jobs.h"

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

class ClaimJob final : public WriteJob {
 public:
  ClaimJob(ShardRef shard, Overlays& overlays, Executor& executor,
           ports::Store::Callback<ShardImage> callback)
      : shard_(std::move(shard)),
        overlays_(overlays),
        executor_(executor),
        callback_(std::move(callback)) {}

  const ShardRef* shard() const override { return &shard_; }

  /// What is in memory may be behind: the commit before may have an unknown outcome. So the tail is
  /// read again.
  Result<void> apply(Round& round) override {
    image_ = {};
    const std::int64_t id = take_row(round.db, shard_, round.now, image_);
    Result<Image> newer = overlays_.read_tail(round.db, id, shard_);
    if (!newer) return newer.error();
    newer_ = std::move(*newer);
    read_tables(round.db, id, image_);
    newer_.overlay->lay_over(image_);
    return {};
  }

  void committed() override { overlays_.set(shard_, newer_); }

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
  Overlays& overlays_;
  Executor& executor_;
  ports::Store::Callback<ShardImage> callback_;
  ShardImage image_;
  Image newer_;
};

}  // namespace

std::unique_ptr<WriteJob> make_claim_job(ShardRef shard, Overlays& overlays, Executor& executor,
                                         ports::Store::Callback<ShardImage> callback) {
  return std::make_unique<ClaimJob>(std::move(shard), overlays, executor, std::move(callback));
}

}  // namespace host::sqlite
