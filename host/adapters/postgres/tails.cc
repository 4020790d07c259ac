#include "host/adapters/postgres/tails.h"

#include <algorithm>

#include "host/adapters/postgres/images.h"

namespace host::postgres {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;  // of records, as they are stored

}  // namespace

Result<const journal::Overlay*> Tails::read(Connection& db, const Schema& schema,
                                            const ShardRef& shard) {
  const Rows row = db.run(schema,
                          "select epoch, commit_no, coalesce((select min(commit_no)"
                          " from ~host_journal where shard = $1), commit_no + 1)"
                          " from ~host_shard where number = $1",
                          Params(shard.number));
  if (row.empty()) return nullptr;
  const std::int64_t epoch = row.integer(0, 0), commit_no = row.integer(0, 1);
  make_room();
  Tail& tail = tails_[shard];
  // Another epoch: perhaps another history, from a backup.
  if (tail.overlay == nullptr || tail.epoch != epoch || tail.commit_no > commit_no) {
    tail = {.epoch = epoch, .overlay = std::make_unique<journal::Overlay>(bounds_)};
  }
  const Result<void> done = read_tail(db, schema, shard, tail.commit_no, *tail.overlay);
  if (!done) {
    tails_.erase(shard);
    return done.error();
  }
  tail.commit_no = commit_no;
  tail.overlay->forget_below(row.integer(0, 2));
  return tail.overlay.get();
}

void Tails::make_room() {
  std::size_t bytes = 0;
  for (const auto& [shard, tail] : tails_) bytes += tail.overlay->tail_bytes();
  if (bytes > kMostBytes) tails_.clear();
}

}  // namespace host::postgres
