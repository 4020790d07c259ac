#include "host/adapters/sqlite/state_list.h"

#include <memory>
#include <vector>

#include "host/adapters/sqlite/rows.h"

namespace host::sqlite {
namespace {

constexpr std::size_t kPageBytes = std::size_t{8} << 20;

/// The states of one shard, one by one, in the order of its index.
class Run {
 public:
  Run(Connection& db, std::int64_t shard, const std::string& after)
      : holder_(db.prepare("select key, bytes, version, quiet_until from host_state"
                           " where shard = ? and key > ? and bytes is not null order by key")),
        rows_(db.native(), holder_.get(), shard, after) {
    next();
  }
  bool done() const { return done_; }
  std::string_view key() const { return rows_.view(0); }
  const Statement& row() const { return rows_; }
  void next() { done_ = !rows_.step(); }

 private:
  StatementHolder holder_;
  Statement rows_;
  bool done_ = false;
};

}  // namespace

ports::StateList read_state_list(Connection& db, const std::string& plugin,
                                 const std::string& after, std::size_t limit) {
  std::vector<std::unique_ptr<Run>> runs;
  {
    Statement shards = db.query("select id from host_shard where plugin = ?", plugin);
    while (shards.step()) {
      auto run = std::make_unique<Run>(db, shards.integer(0), after);
      if (!run->done()) runs.push_back(std::move(run));
    }
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
    list.items.push_back({.key = std::string(lowest->key()), .state = state_row(lowest->row(), 1)});
    bytes += list.items.back().key.size() + list.items.back().state.bytes->size();
    lowest->next();
  }
}

}  // namespace host::sqlite
