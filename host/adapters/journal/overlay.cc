#include "host/adapters/journal/overlay.h"

#include <algorithm>
#include <unordered_map>

namespace host::journal {
namespace {

using ports::PendingRow;
using ports::ShardCommit;
using ports::ShardImage;
using ports::StateRow;
using ports::TimerRow;

constexpr std::size_t kLeastCatchUp = 200;

template <class E>
void sort_by_key(std::vector<const E*>& entries) {
  std::sort(entries.begin(), entries.end(),
            [](const E* a, const E* b) { return *a->key < *b->key; });
}

template <class E>
void add(std::vector<const E*>& to, const Entry& entry) {
  to.push_back(static_cast<const E*>(&entry));
}

}  // namespace

// ---- entries by age

void Overlay::link(Entry& entry) {
  entry.older = newest_;
  entry.newer = nullptr;
  (newest_ != nullptr ? newest_->newer : oldest_) = &entry;
  newest_ = &entry;
}

void Overlay::unlink(Entry& entry) {
  (entry.older != nullptr ? entry.older->newer : oldest_) = entry.newer;
  (entry.newer != nullptr ? entry.newer->older : newest_) = entry.older;
}

/// The value of a key, which becomes the newest entry.
template <class Map>
auto& Overlay::touch(Map& map, const typename Map::key_type& key) {
  const auto [at, is_new] = map.try_emplace(key);
  auto& entry = at->second;
  if (is_new) {
    entry.key = &at->first;
  } else {
    unlink(entry);
  }
  entry.commit_no = writing_;
  entry.at = now_;
  link(entry);
  return entry.value;
}

template <class Map>
void Overlay::drop(Map& map, const typename Map::key_type& key) {
  const auto at = map.find(key);
  unlink(at->second);
  map.erase(at);
}

// ---- the writer's

Changes Overlay::complete(const ShardCommit& commit) const {
  Changes changes{.commit = commit, .pending = {}};
  changes.pending.reserve(commit.pending_put.size());
  std::unordered_map<std::int64_t, std::size_t> before;  // of this commit
  for (const PendingRow& row : commit.pending_put) {
    PendingPut put{.row = row, .replaces = false};
    const auto keep_message = [&](const PendingRow& known) {
      const int attempt = row.message.attempt;
      put.row.message = known.message;
      put.row.message.attempt = attempt;
    };
    const auto known = pending_.find(row.id);
    if (const auto twice = before.find(row.id); twice != before.end()) {
      keep_message(changes.pending[twice->second].row);
      put.replaces = changes.pending[twice->second].replaces;
    } else if (known != pending_.end()) {
      const PendingValue& value = known->second.value;
      if (value.row) keep_message(*value.row);
      put.replaces = value.replaces || !value.row;
    }
    before[row.id] = changes.pending.size();
    changes.pending.push_back(std::move(put));
  }
  for (const std::string& key : commit.forget_timers) find_timers(key, "", changes.timers_ended);
  for (const auto& [key, change] : commit.timers) {
    const auto* cancel = std::get_if<TimerCancel>(&change);
    if (cancel != nullptr) find_timers(key, cancel->id_or_name, changes.timers_ended);
  }
  return changes;
}

std::size_t Overlay::due(std::size_t entries, Time now) const {
  if (oldest_ == nullptr) return 0;
  const bool too_much = tail_bytes_ > bounds_.tail_bytes || now - oldest_->at > bounds_.age;
  if (too_much) return std::max(2 * entries, kLeastCatchUp);
  const std::size_t owed = ((owed_ + entries) * bounds_.share_percent + 99) / 100;
  return owed >= bounds_.piece ? owed : 0;
}

Slice Overlay::slice(std::size_t limit) const {
  Slice slice;
  const Entry* entry = oldest_;
  for (; entry != nullptr && slice.size < limit; entry = entry->newer, ++slice.size) {
    switch (entry->kind) {
      case Entry::Kind::offset:
        add(slice.offsets, *entry);
        break;
      case Entry::Kind::state:
        add(slice.states, *entry);
        break;
      case Entry::Kind::pending:
        add(slice.pending, *entry);
        break;
      case Entry::Kind::cancel:
        add(slice.cancels, *entry);
        break;
      case Entry::Kind::timer:
        add(slice.timers, *entry);
        break;
      case Entry::Kind::every:
        add(slice.every, *entry);
        break;
      case Entry::Kind::once:
        add(slice.once, *entry);
        break;
      case Entry::Kind::mark:
        add(slice.marks, *entry);
        break;
    }
  }
  sort_by_key(slice.states);
  sort_by_key(slice.pending);
  sort_by_key(slice.timers);
  sort_by_key(slice.once);
#ifdef HOST_SABOTAGE_EARLY_TRIM  // a record goes although an entry of it is in no table yet
  const std::int64_t keep_from = entry != nullptr ? entry->commit_no + 1 : writing_ + 1;
#else
  const std::int64_t keep_from = entry != nullptr ? entry->commit_no : writing_ + 1;
#endif
  if (!rows_.empty() && rows_.begin()->first < keep_from) slice.keep_from = keep_from;
  return slice;
}

void Overlay::drop_oldest() {
  Entry& entry = *oldest_;
  switch (entry.kind) {
    case Entry::Kind::offset:
      return drop(offsets_, *static_cast<OffsetEntry&>(entry).key);
    case Entry::Kind::state:
      return drop(states_, *static_cast<StateEntry&>(entry).key);
    case Entry::Kind::pending:
      return drop(pending_, *static_cast<PendingEntry&>(entry).key);
    case Entry::Kind::cancel:
      return drop(cancels_, *static_cast<CancelEntry&>(entry).key);
    case Entry::Kind::timer:
      return drop_timer(static_cast<TimerEntry&>(entry));
    case Entry::Kind::every:
      return drop(every_, *static_cast<EveryEntry&>(entry).key);
    case Entry::Kind::once:
      return drop(once_, *static_cast<OnceEntry&>(entry).key);
    case Entry::Kind::mark:
      return drop(marks_, *static_cast<MarkEntry&>(entry).key);
  }
}

void Overlay::drop_rows_below(std::int64_t commit_no) {
  while (!rows_.empty() && rows_.begin()->first < commit_no) {
    tail_bytes_ -= rows_.begin()->second;
    rows_.erase(rows_.begin());
  }
}

void Overlay::written(const Slice& slice) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < slice.size; ++i) drop_oldest();
  drop_rows_below(slice.keep_from);
  if (slice.size > 0) owed_ = 0;
}

void Overlay::forget_below(std::int64_t commit_no) {
  const std::lock_guard lock(mutex_);
  while (oldest_ != nullptr && oldest_->commit_no < commit_no) drop_oldest();
  drop_rows_below(commit_no);
}

void Overlay::apply(const Changes& changes, std::int64_t commit_no, std::size_t bytes, Time at) {
  const ShardCommit& commit = changes.commit;
  const std::lock_guard lock(mutex_);
  writing_ = commit_no;
  now_ = at;
  for (const auto& [topic, next] : commit.next_offsets) touch(offsets_, topic) = next;
  for (const auto& [key, row] : commit.states) touch(states_, key) = row;
  for (const PendingPut& put : changes.pending) {
    touch(pending_, put.row.id) = {.row = put.row, .replaces = put.replaces};
  }
  for (const std::int64_t id : commit.pending_remove) touch(pending_, id) = {};
  apply_timers(changes);
  for (const auto& [name, due] : commit.every_next) touch(every_, name) = due;
  for (const auto& [id, until] : commit.once_seen) touch(once_, id) = until;
  for (const ports::Mark& mark : commit.marks) {
    touch(marks_, MarkKey{mark.topic, mark.partition, mark.stream}) = mark.position;
  }
  owed_ += changes.size();
  if (bytes == 0) return;
  rows_[commit_no] = bytes;
  tail_bytes_ += bytes;
}

/// What fired and what is forgotten goes before what this commit sets.
void Overlay::apply_timers(const Changes& changes) {
  const ShardCommit& commit = changes.commit;
  for (const std::string& id : commit.timers_fired) put_timer(id, std::nullopt);
  for (const std::string& id : changes.timers_ended) put_timer(id, std::nullopt);
  for (const std::string& key : commit.forget_timers) cancel(key, "");
  for (const auto& [key, change] : commit.timers) {
    if (const auto* set = std::get_if<TimerSet>(&change)) {
      put_timer(set->id, TimerRow{.id = set->id,
                                  .name = set->name,
                                  .key = key,
                                  .due = set->due,
                                  .payload = set->payload,
                                  .headers = set->headers});
    } else {
      cancel(key, std::get<TimerCancel>(change).id_or_name);
    }
  }
}

void Overlay::put_timer(const std::string& id, std::optional<TimerRow> row) {
  std::optional<TimerRow>& value = touch(timers_, id);
  if (value) forget_place(*value);
  value = std::move(row);
  if (!value) return;
  due_.emplace(value->due, id);
  owned_.emplace(value->key, id);
}

void Overlay::forget_place(const TimerRow& row) {
  due_.erase({row.due, row.id});
  owned_.erase({row.key, row.id});
}

void Overlay::drop_timer(const TimerEntry& entry) {
  if (entry.value) forget_place(*entry.value);
  drop(timers_, *entry.key);
}

void Overlay::find_timers(const std::string& key, const std::string& which,
                          std::vector<std::string>& found) const {
  for (auto at = owned_.lower_bound({key, ""}); at != owned_.end() && at->first == key; ++at) {
    const TimerRow& row = *timers_.find(at->second)->second.value;
    if (which.empty() || row.id == which || row.name == which) found.push_back(row.id);
  }
}

void Overlay::cancel(const std::string& key, const std::string& which) {
  std::vector<std::string> set_by_this_commit;
  find_timers(key, which, set_by_this_commit);
  for (const std::string& id : set_by_this_commit) put_timer(id, std::nullopt);
  touch(cancels_, CancelKey{key, which});
}

// ---- for all

std::size_t Overlay::tail_bytes() const {
  const std::lock_guard lock(mutex_);
  return tail_bytes_;
}

std::optional<Time> Overlay::oldest() const {
  const std::lock_guard lock(mutex_);
  return oldest_ == nullptr ? std::nullopt : std::optional(oldest_->at);
}

std::vector<std::optional<StateRow>> Overlay::states(const std::vector<std::string>& keys) const {
  std::vector<std::optional<StateRow>> found(keys.size());
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const auto at = states_.find(keys[i]); at != states_.end()) found[i] = at->second.value;
  }
  return found;
}

std::vector<ports::ListedState> Overlay::states_after(const std::string& after,
                                                      std::size_t limit) const {
  std::vector<ports::ListedState> rows;
  std::size_t living = 0;
  const std::lock_guard lock(mutex_);
  for (auto at = states_.upper_bound(after); at != states_.end() && living < limit; ++at) {
    rows.push_back({.key = at->first, .state = at->second.value});
    if (at->second.value.bytes) ++living;
  }
  return rows;
}

std::optional<PendingValue> Overlay::pending(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto at = pending_.find(id);
  return at == pending_.end() ? std::nullopt : std::optional(at->second.value);
}

std::vector<std::optional<Time>> Overlay::once(const std::vector<std::string>& ids) const {
  std::vector<std::optional<Time>> found(ids.size());
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (const auto at = once_.find(ids[i]); at != once_.end()) found[i] = at->second.value;
  }
  return found;
}

std::optional<Offset> Overlay::offset(const std::string& topic) const {
  const std::lock_guard lock(mutex_);
  const auto at = offsets_.find(topic);
  return at == offsets_.end() ? std::nullopt : std::optional(at->second.value);
}

bool Overlay::hides(const TimerRow& row) const {
  if (timers_.contains(row.id)) return true;
  if (cancels_.empty()) return false;
  return cancels_.contains({row.key, ""}) || cancels_.contains({row.key, row.id}) ||
         cancels_.contains({row.key, row.name});
}

void Overlay::lay_over(ShardImage& image) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [topic, entry] : offsets_) image.next_offsets[topic] = entry.value;
  for (const auto& [name, entry] : every_) image.every_next[name] = entry.value;
  lay_pending_over(image);
  std::erase_if(image.marks, [&](const ports::Mark& mark) {
    return marks_.contains(MarkKey{mark.topic, mark.partition, mark.stream});
  });
  for (const auto& [key, entry] : marks_) {
    const auto& [topic, partition, stream] = key;
    image.marks.push_back(
        {.topic = topic, .partition = partition, .stream = stream, .position = entry.value});
  }
}

void Overlay::lay_pending_over(ShardImage& image) const {
  if (pending_.empty()) return;
  std::map<std::int64_t, PendingRow> rows;
  for (PendingRow& row : image.pending) rows.emplace(row.id, std::move(row));
  for (const auto& [id, entry] : pending_) {
    const PendingValue& value = entry.value;
    if (!value.row || value.replaces) rows.erase(id);
    if (!value.row) continue;
    const auto [at, is_new] = rows.try_emplace(id, *value.row);
    if (!is_new) bring_up_to_date(at->second, *value.row);
    at->second.message.payload.clear();
    at->second.message.headers.clear();
  }
  image.pending.clear();
  for (auto& [id, row] : rows) image.pending.push_back(std::move(row));
}

}  // namespace host::journal
