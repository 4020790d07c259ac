#include "host/adapters/sqlite/state_list.h"

#include <memory>
#include <vector>

#include "host/adapters/sqlite/rows.h"

namespace host::sqlite {
namespace {

constexpr std::size_t kPageBytes = std::size_t{8} << 20;

/// The states of one shard, one by one, in the order of their keys: the table's, with those of the
/// overlay laid over them. Of the overlay it knows as many living ones as a page can take.
class Run {
 public:
  Run(Connection& db, std::int64_t shard, std::vector<ports::ListedState> newer,
      const std::string& after)
      : holder_(db.prepare("select key, bytes, version, quiet_until from host_state"
                           " where shard = ? and key > ? and bytes is not null order by key")),
        rows_(db.native(), holder_.get(), shard, after),
        newer_(std::move(newer)) {
    more_rows_ = rows_.step();
    next();
  }
  bool done() const { return done_; }
  const std::string& key() const { return current_.key; }
  ports::ListedState take() {
    ports::ListedState taken = std::move(current_);
    next();
    return taken;
  }

 private:
  void next() {
    while (more_rows_ || at_ < newer_.size()) {
      const bool from_table =
          more_rows_ && (at_ == newer_.size() || rows_.view(0) < newer_[at_].key);
      if (from_table) {
        current_ = {.key = rows_.bytes(0), .state = state_row(rows_, 1)};
        more_rows_ = rows_.step();
        return;
      }
      if (more_rows_ && rows_.view(0) == newer_[at_].key) more_rows_ = rows_.step();
      ports::ListedState& newer = newer_[at_++];
      if (!newer.state.bytes) continue;
      current_ = std::move(newer);
      return;
    }
    done_ = true;
  }

  StatementHolder holder_;
  Statement rows_;
  bool more_rows_ = false;
  std::vector<ports::ListedState> newer_;
  std::size_t at_ = 0;
  ports::ListedState current_;
  bool done_ = false;
};

}  // namespace

Result<ports::StateList> read_state_list(Connection& db, const Overlays& overlays,
                                         const std::string& plugin, const std::string& after,
                                         std::size_t limit) {
  const Result<std::vector<Image>> images = overlays.of_plugin(plugin);
  if (!images) return images.error();
  std::vector<std::vector<ports::ListedState>> newer;  // of all, before anything is read
  for (const Image& image : *images) {
    newer.push_back(image.overlay->states_after(after, limit + 1));
  }
  std::vector<std::unique_ptr<Run>> runs;
  for (std::size_t i = 0; i < images->size(); ++i) {
    auto run = std::make_unique<Run>(db, (*images)[i].id, std::move(newer[i]), after);
    if (!run->done()) runs.push_back(std::move(run));
  }
  ports::StateList list;
  std::size_t bytes = 0;
  while (true) {
    Run* lowest = nullptr;
    for (const auto& run : runs) {
      if (!run->done() && (lowest == nullptr || run->key() < lowest->key())) lowest = run.get();
    }
    if (lowest == nullptr) return list;
    if (list.items.size() >= limit || bytes >= kPageBytes) {
      list.next = list.items.empty() ? after : list.items.back().key;
      return list;
    }
    list.items.push_back(lowest->take());
    bytes += list.items.back().key.size() + list.items.back().state.bytes->size();
  }
}

}  // namespace host::sqlite
