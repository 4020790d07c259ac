#include "host/adapters/postgres/state_list.h"

#include <algorithm>
#include <map>
#include <utility>

#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/reads.h"
#include "host/adapters/postgres/rows.h"

namespace host::postgres {
namespace {

constexpr std::size_t kPageBytes = std::size_t{8} << 20;
constexpr std::size_t kRowsAtOnce = 50;

/// (key, shard): a key belongs to one shard, but nothing here depends on it.
using Place = std::pair<std::string, PartitionNumber>;

/// The living rows of the tables of all shards in the order of their places, fetched by and by.
class TableRows {
 public:
  TableRows(Connection& db, const Schema& schema, Place after, std::size_t limit)
      : db_(db), schema_(schema), after_(std::move(after)), at_once_(std::min(limit, kRowsAtOnce)) {
    fetch();
  }
  bool done() const { return at_ == rows_->size(); }
  Place place() const {
    return {rows_->bytes(at_, 0), static_cast<PartitionNumber>(rows_->integer(at_, 4))};
  }
  ports::ListedState state() const {
    return {.key = rows_->bytes(at_, 0), .state = state_row(*rows_, at_, 1)};
  }
  void next() {
    after_ = place();
    if (++at_ == rows_->size() && static_cast<std::size_t>(at_) == at_once_) fetch();
  }

 private:
  void fetch() {
    rows_.emplace(
        db_.run(schema_,
                "select t.key, t.bytes, t.version, t.quiet_until, s.number from ~host_shard s"
                " cross join lateral (select key, bytes, version, quiet_until from ~host_state"
                " where shard = s.number and bytes is not null and key >= $1"
                " and (key > $1 or s.number > $2) order by key limit $3) t"
                " order by t.key, s.number limit $3",
                Params(after_.first, after_.second, at_once_)));
    at_ = 0;
  }

  Connection& db_;
  const Schema& schema_;
  Place after_;
  const std::size_t at_once_;
  std::optional<Rows> rows_;
  int at_ = 0;
};

using Newer = std::map<Place, ports::StateRow>;

void add(Newer& newer, PartitionNumber shard, std::vector<ports::ListedState> states) {
  for (ports::ListedState& state : states) {
    newer.insert_or_assign({std::move(state.key), shard}, std::move(state.state));
  }
}

/// What is newer than the tables, of all shards. Ours come from their overlays, which were asked
/// before the snapshot began, if the snapshot says that they are still ours.
Result<Newer> read_newer(
    Connection& db, const Schema& schema, Tails& tails, const std::string& plugin,
    const std::string& after, std::size_t limit,
    std::map<std::pair<PartitionNumber, std::int64_t>, std::vector<ports::ListedState>>& ours) {
  Newer newer;
  const Rows shards = db.run(schema, "select number, epoch from ~host_shard");
  for (int i = 0; i < shards.size(); ++i) {
    const auto number = static_cast<PartitionNumber>(shards.integer(i, 0));
    if (const auto own = ours.find({number, shards.integer(i, 1)}); own != ours.end()) {
      add(newer, number, std::move(own->second));
      continue;
    }
    const Result<const journal::Overlay*> tail = tails.read(db, schema, {plugin, number});
    if (!tail) return tail.error();
    if (*tail != nullptr) add(newer, number, (*tail)->states_after(after, limit + 1));
  }
  return newer;
}

ports::StateList merge(TableRows& table, const Newer& newer, const std::string& after,
                       std::size_t limit) {
  ports::StateList list;
  std::size_t bytes = 0;
  auto mine = newer.begin();
  while (!table.done() || mine != newer.end()) {
    const bool from_table = !table.done() && (mine == newer.end() || table.place() < mine->first);
    if (!from_table && !table.done() && table.place() == mine->first) table.next();
    if (!from_table && !mine->second.bytes) {
      ++mine;
      continue;
    }
    if (list.items.size() >= limit || bytes >= kPageBytes) {
      list.next = list.items.empty() ? after : list.items.back().key;
      return list;
    }
    if (from_table) {
      list.items.push_back(table.state());
      table.next();
    } else {
      list.items.push_back({.key = mine->first.first, .state = mine->second});
      ++mine;
    }
    bytes += list.items.back().key.size() + list.items.back().state.bytes->size();
  }
  return list;
}

}  // namespace

Result<ports::StateList> read_state_list(Connection& db, const Images& images, Tails& tails,
                                         const std::string& plugin, const std::string& after,
                                         std::size_t limit) {
  std::map<std::pair<PartitionNumber, std::int64_t>, std::vector<ports::ListedState>> ours;
  for (const auto& [shard, image] : images.all()) {
    if (shard.plugin != plugin) continue;
    ours[{shard.number, image->epoch}] = image->overlay.states_after(after, limit + 1);
  }
  const Transaction snapshot(db, Transaction::Kind::snapshot);
  if (!has_plugin(db, plugin)) return ports::StateList{};
  const Schema schema = schema_of(plugin);
  const Result<Newer> newer = read_newer(db, schema, tails, plugin, after, limit, ours);
  if (!newer) return newer.error();
  TableRows table(db, schema, {after, INT32_MAX}, limit + 1);
  return merge(table, *newer, after, limit);
}

}  // namespace host::postgres
