#include "host/adapters/sqlite/overlays.h"

#include "host/adapters/sqlite/image_tables.h"

namespace host::sqlite {

void Overlays::load(Connection& db) {
  std::vector<std::pair<std::int64_t, ShardRef>> shards;
  {
    Statement rows = db.query("select id, plugin, number from host_shard");
    while (rows.step()) {
      shards.emplace_back(rows.integer(0),
                          ShardRef{rows.bytes(1), static_cast<PartitionNumber>(rows.integer(2))});
    }
  }
  for (const auto& [id, shard] : shards) set(shard, read_tail(db, id, shard));
}

Result<Image> Overlays::read_tail(Connection& db, std::int64_t id, const ShardRef& shard) const {
  Image image{.id = id, .overlay = std::make_shared<journal::Overlay>(bounds_)};
  Statement rows =
      db.query("select id, data from host_journal where id >= ? and id < ? order by id",
               journal_row(id, 0), journal_row(id + 1, 0));
  while (rows.step()) {
    const std::int64_t commit_no = rows.integer(0) - journal_row(id, 0);
    Result<journal::TailRecord> record = journal::decode(rows.view(1), shard, commit_no);
    if (!record) return record.error();
    const journal::Changes changes{.commit = record->commit,
                                   .pending = std::move(record->pending),
                                   .timers_ended = std::move(record->timers_ended)};
    image.overlay->apply(changes, commit_no, rows.view(1).size(), Time{});
  }
  return image;
}

void Overlays::set(const ShardRef& shard, Result<Image> image) {
  const std::lock_guard lock(mutex_);
  images_.insert_or_assign(shard, std::move(image));
}

Result<Image> Overlays::find(const ShardRef& shard) const {
  const std::lock_guard lock(mutex_);
  const auto at = images_.find(shard);
  return at == images_.end() ? Result<Image>(Image{}) : at->second;
}

Result<std::vector<Image>> Overlays::of_plugin(const std::string& plugin) const {
  std::vector<Image> found;
  const std::lock_guard lock(mutex_);
  for (auto at = images_.lower_bound(ShardRef{plugin, 0});
       at != images_.end() && at->first.plugin == plugin; ++at) {
    if (!at->second) return at->second.error();
    found.push_back(*at->second);
  }
  return found;
}

std::vector<std::pair<ShardRef, Image>> Overlays::all() const {
  std::vector<std::pair<ShardRef, Image>> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [shard, image] : images_) {
    if (image) found.emplace_back(shard, *image);
  }
  return found;
}

}  // namespace host::sqlite
