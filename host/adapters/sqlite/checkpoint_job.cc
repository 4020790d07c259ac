#include "host/adapters/sqlite/image_tables.h"
#include "host/adapters/sqlite/jobs.h"

namespace host::sqlite {
namespace {

constexpr std::size_t kSliceEntries = 1000;

class CheckpointJob final : public WriteJob {
 public:
  CheckpointJob(const ShardRef& shard, Overlays& overlays, BlockingResult& done)
      : shard_(shard), overlays_(overlays), done_(done) {}

  const ShardRef* shard() const override { return &shard_; }

  Result<void> apply(Round& round) override {
    Result<Image> image = overlays_.find(shard_);  // a claim may have put another one there
    if (!image) return image.error();
    overlay_ = std::move(image->overlay);
    slice_ = overlay_->slice(kSliceEntries);
    write_slice(round.db, image->id, slice_);
    return {};
  }
  void committed() override { overlay_->written(slice_); }
  void finish(Ending ending) override { done_.set(std::move(ending)); }

 private:
  const ShardRef shard_;
  Overlays& overlays_;
  BlockingResult& done_;
  std::shared_ptr<journal::Overlay> overlay_;
  journal::Slice slice_;
};

}  // namespace

Result<void> checkpoint_aged(Writer& writer, Overlays& overlays, const ports::Clock& clock) {
  const auto aged = [&](const ShardRef& shard) {
    const Result<Image> image = overlays.find(shard);
    if (!image || image->overlay == nullptr) return false;
    const std::optional<Time> oldest = image->overlay->oldest();
    return oldest && clock.now() - *oldest > overlays.bounds().age;
  };
  for (const auto& [shard, image] : overlays.all()) {
    while (aged(shard)) {
      BlockingResult done;
      writer.submit(std::make_unique<CheckpointJob>(shard, overlays, done));
      if (Result<void> written = done.wait(); !written) return written;
    }
  }
  return {};
}

}  // namespace host::sqlite
