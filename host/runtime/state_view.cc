#include "host/runtime/state_view.h"

#include "host/base/check.h"

namespace host::runtime {

std::size_t StateView::size_of(const std::string& key, const Entry& entry) {
  return 2 * key.size() + 160 + (entry.row.bytes ? entry.row.bytes->size() : 0);
}

const ports::StateRow* StateView::find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second.row;
}

void StateView::loaded(const std::string& key, ports::StateRow row) {
  const auto [entry, fresh] = entries_.try_emplace(key, Entry{std::move(row), 0});
  if (!fresh) return;  // a handler was faster than the store: its state is the newer one
  // What was there before makes room, not this one: who asked for it has not run yet.
  evict();
  bytes_ += size_of(key, entry->second);
  order_.push_back(key);
}

std::optional<ports::StateRow> StateView::executed(const std::string& key, ports::StateRow row) {
  const auto [found, fresh] = entries_.try_emplace(key);
  Entry& entry = found->second;
  std::optional<ports::StateRow> before;
  if (fresh) {
    order_.push_back(key);
  } else {
    bytes_ -= size_of(key, entry);
    before = std::move(entry.row);
  }
  entry.row = std::move(row);
  ++entry.uncommitted;
  bytes_ += size_of(key, entry);
  return before;
}

void StateView::committed(const std::string& key) {
  Entry& entry = entries_.at(key);
  HOST_DCHECK(entry.uncommitted > 0, "a state was committed more often than executed");
  --entry.uncommitted;
  evict();
}

void StateView::rolled_back(const std::string& key, std::optional<ports::StateRow> before) {
  const auto found = entries_.find(key);
  HOST_CHECK(found != entries_.end(), "a state was rolled back that nobody changed");
  Entry& entry = found->second;
  bytes_ -= size_of(key, entry);
  --entry.uncommitted;
  if (!before) {
    HOST_DCHECK(entry.uncommitted == 0, "a state that was forgotten had uncommitted changes");
    entries_.erase(found);
    return;
  }
  entry.row = std::move(*before);
  bytes_ += size_of(key, entry);
}

void StateView::clear() {
  entries_.clear();
  order_.clear();
  bytes_ = 0;
}

void StateView::evict() {
  // One round over the queue at most: what has uncommitted changes goes to the back.
  for (std::size_t rounds = order_.size(); bytes_ > clean_bytes_ && rounds > 0; --rounds) {
    std::string key = std::move(order_.front());
    order_.pop_front();
    const auto found = entries_.find(key);
    if (found == entries_.end()) continue;  // taken back meanwhile
    if (found->second.uncommitted > 0) {
      order_.push_back(std::move(key));
    } else {
      bytes_ -= size_of(key, found->second);
      entries_.erase(found);
    }
  }
}

}  // namespace host::runtime
