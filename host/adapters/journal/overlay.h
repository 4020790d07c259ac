#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "host/adapters/journal/bounds.h"
#include "host/adapters/journal/record.h"
#include "host/ports/store.h"

namespace host::journal {

/// One value that is newer than its table, in the order in which they were last written.
struct Entry {
  enum class Kind { offset, state, pending, cancel, timer, every, once, mark };

  explicit Entry(Kind k) : kind(k) {}
  const Kind kind;
  std::int64_t commit_no = 0;  // of the commit that wrote it last
  Time at{};                   // of that commit
  Entry* older = nullptr;
  Entry* newer = nullptr;
};

/// Key and value of an entry as its table takes them. The key belongs to the map it lives in.
template <Entry::Kind K, class Key, class Value>
struct EntryOf : Entry {
  EntryOf() : Entry(K) {}
  const Key* key = nullptr;
  Value value{};
};

/// (key, id or name of a timer; "" for all of the key's).
using CancelKey = std::pair<std::string, std::string>;
using MarkKey = std::tuple<std::string, PartitionNumber, std::string>;  // topic, partition, stream
struct PendingValue {
  std::optional<ports::PendingRow> row;  // nothing: removed
  bool replaces = false;
};

using OffsetEntry = EntryOf<Entry::Kind::offset, std::string, Offset>;
using StateEntry = EntryOf<Entry::Kind::state, std::string, ports::StateRow>;
using PendingEntry = EntryOf<Entry::Kind::pending, std::int64_t, PendingValue>;
/// Timers in the table that are gone; those in the overlay became tombstones when it was made.
using CancelEntry = EntryOf<Entry::Kind::cancel, CancelKey, std::monostate>;
using TimerEntry = EntryOf<Entry::Kind::timer, std::string, std::optional<ports::TimerRow>>;
using EveryEntry = EntryOf<Entry::Kind::every, std::string, Time>;
using OnceEntry = EntryOf<Entry::Kind::once, std::string, Time>;
using MarkEntry = EntryOf<Entry::Kind::mark, MarkKey, StreamPosition>;

/// The oldest entries of an overlay, for their tables. Cancels are written before timers. Borrowed:
/// valid until the overlay changes.
struct Slice {
  std::vector<const OffsetEntry*> offsets;
  std::vector<const StateEntry*> states;  // by key, as the others: for the pages' sake
  std::vector<const PendingEntry*> pending;
  std::vector<const CancelEntry*> cancels;
  std::vector<const TimerEntry*> timers;
  std::vector<const EveryEntry*> every;
  std::vector<const OnceEntry*> once;
  std::vector<const MarkEntry*> marks;

  std::size_t size = 0;         // entries, always the oldest so many
  std::int64_t keep_from = -1;  // once they are written, older records are of no use; -1: none is
};

/// What of a shard is newer than the tables: written by commits, or read again from the journal's
/// tail by a claim. Tables follow by slices, the oldest entries first. A journal row may go when
/// every entry that it wrote last is in its table; since slices are taken from the oldest on, rows
/// go from the oldest on, and what is left can be read again over the tables at any time.
///
/// One writer: complete(), due(), slice(), apply() and written() are for the thread that commits.
/// The others are thread-safe. Who reads looks here first and takes its snapshot of the tables
/// afterwards: an entry leaves only when its table holds it.
class Overlay {
 public:
  explicit Overlay(Bounds bounds) : bounds_(bounds) {}
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  // ---- the writer's

  /// What goes into the journal, such that it means the same without the records before it: rows
  /// of pending that are known here keep their message, because who puts a row again may hold it
  /// without its payload; timers that are known here are ended by id.
  Changes complete(const ports::ShardCommit& commit) const;
  /// How many entries a commit of `written` entries at `now` should carry over.
  std::size_t due(std::size_t written, Time now) const;
  /// The oldest entries, at most `limit`.
  Slice slice(std::size_t limit) const;
  /// A commit was carried out; `bytes` of its journal row. Ascending numbers.
  void apply(const Changes& changes, std::int64_t commit_no, std::size_t bytes, Time at);
  /// The slice is in the tables, and the journal rows below its keep_from are gone.
  void written(const Slice& slice);
  /// Somebody else's shard: its owner has dropped the records below this one, so what they say is
  /// in the tables.
  void forget_below(std::int64_t commit_no);

  // ---- for all

  /// Of the oldest entry; nothing when there is none.
  std::optional<Time> oldest() const;
  /// Of the journal rows that are kept.
  std::size_t tail_bytes() const;

  /// In the order of `keys`; nothing: ask the table.
  std::vector<std::optional<ports::StateRow>> states(const std::vector<std::string>& keys) const;
  /// From the first key above `after` on, in order, until `limit` of them have bytes.
  std::vector<ports::ListedState> states_after(const std::string& after, std::size_t limit) const;
  /// The pending row of an id: outer nothing: ask the table; inner row nothing: removed.
  std::optional<PendingValue> pending(std::int64_t id) const;
  std::vector<std::optional<Time>> once(const std::vector<std::string>& ids) const;

  std::optional<Offset> offset(const std::string& topic) const;

  /// Brings what a claim read from the tables up to date.
  void lay_over(ports::ShardImage& image) const;
  /// The table's timers with those of the overlay, in order of (due, id), after a place. `read`
  /// gives the table's from a place on, at most so many, in the same order; it is called with the
  /// overlay's lock held.
  using TimerPlace = std::pair<Time, std::string>;
  template <class Read>
  std::vector<ports::TimerRow> timers(TimerPlace after, std::size_t limit, Read read) const;

 private:
  template <class Map>
  auto& touch(Map& map, const typename Map::key_type& key);
  template <class Map>
  void drop(Map& map, const typename Map::key_type& key);
  void drop_oldest();
  void drop_rows_below(std::int64_t commit_no);
  void link(Entry& entry);
  void unlink(Entry& entry);
  void apply_timers(const Changes& changes);
  void find_timers(const std::string& key, const std::string& which,
                   std::vector<std::string>& found) const;
  void put_timer(const std::string& id, std::optional<ports::TimerRow> row);
  void forget_place(const ports::TimerRow& row);
  void drop_timer(const TimerEntry& entry);
  void cancel(const std::string& key, const std::string& which);
  bool hides(const ports::TimerRow& row) const;
  void lay_pending_over(ports::ShardImage& image) const;

  const Bounds bounds_;

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, OffsetEntry, std::less<>> offsets_;
  std::map<std::string, StateEntry, std::less<>> states_;
  std::map<std::int64_t, PendingEntry> pending_;
  std::map<CancelKey, CancelEntry> cancels_;
  std::map<std::string, TimerEntry, std::less<>> timers_;
  std::set<TimerPlace> due_;                             // of timers_ with a row
  std::set<std::pair<std::string, std::string>> owned_;  // (key, id) of timers_ with a row
  std::map<std::string, EveryEntry, std::less<>> every_;
  std::map<std::string, OnceEntry, std::less<>> once_;
  std::map<MarkKey, MarkEntry> marks_;
  Entry* oldest_ = nullptr;
  Entry* newest_ = nullptr;
  std::map<std::int64_t, std::size_t> rows_;  // journal rows that are kept: commit -> bytes
  std::size_t tail_bytes_ = 0;
  std::size_t owed_ = 0;      // entries written since some were carried over
  std::int64_t writing_ = 0;  // the commit that apply() is at
  Time now_{};
};

template <class Read>
std::vector<ports::TimerRow> Overlay::timers(TimerPlace after, std::size_t limit, Read read) const {
  const std::lock_guard lock(mutex_);
  std::vector<ports::TimerRow> merged;
  auto mine = due_.upper_bound(after);
  std::vector<ports::TimerRow> table;
  std::size_t at = 0;
  const auto refill = [&] {
    table = read(after, limit);
    if (!table.empty()) after = {table.back().due, table.back().id};
    at = 0;
  };
  refill();
  while (merged.size() < limit) {
    if (at == table.size() && table.size() == limit) refill();  // perhaps there is more
    if (at < table.size() && hides(table[at])) {
      ++at;
      continue;
    }
    const bool have_mine = mine != due_.end();
    if (at == table.size() && !have_mine) break;
    if (at < table.size() && (!have_mine || TimerPlace{table[at].due, table[at].id} < *mine)) {
      merged.push_back(std::move(table[at++]));
    } else {
      merged.push_back(*timers_.find(mine->second)->second.value);
      ++mine;
    }
  }
  return merged;
}

}  // namespace host::journal
