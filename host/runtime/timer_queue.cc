#include "host/runtime/timer_queue.h"

#include <algorithm>
#include <utility>

namespace host::runtime {

void TimerQueue::begin_page() { loading_ = true; }

bool TimerQueue::Change::cancels(const ports::TimerRow& timer) const {
  return timer.key == key && (!id_or_name || timer.id == *id_or_name || timer.name == *id_or_name);
}

void TimerQueue::add_page(std::vector<ports::TimerRow> page, std::size_t limit) {
  std::optional<Place> horizon;
  if (page.size() >= limit) horizon = Place{page.back().due, page.back().id};
  std::map<Place, ports::TimerRow> fresh;
  for (ports::TimerRow& timer : page) {
    const Place place{timer.due, timer.id};
    fresh.try_emplace(place, std::move(timer));
  }
  // Upon the page alone: timers before the old horizon were changed when it happened, and one that
  // ran since must not come back.
  for (Change& change : std::exchange(meanwhile_, {})) {
    if (!change.added) {
      std::erase_if(fresh, [&](const auto& entry) { return change.cancels(entry.second); });
      continue;
    }
    const Place place{change.added->due, change.added->id};
    if (!horizon || place <= *horizon) fresh.try_emplace(place, std::move(*change.added));
  }
  horizon_ = horizon;
  loading_ = false;
  for (auto& [place, timer] : fresh) insert(std::move(timer));
  cut();
}

void TimerQueue::insert(ports::TimerRow timer) {
  const Place place{timer.due, timer.id};
  std::string key = timer.key;
  if (by_due_.try_emplace(place, std::move(timer)).second) by_key_[key].push_back(place);
}

void TimerQueue::add(ports::TimerRow timer) {
  const Place place{timer.due, timer.id};
  if (horizon_ && place > *horizon_) {
    if (loading_) meanwhile_.push_back({.added = std::move(timer), .key = {}, .id_or_name = {}});
    return;
  }
  insert(std::move(timer));
  cut();
}

void TimerQueue::cut() {
  // Twice the page, so that a burst of near timers does not make the last ones come and go.
  // While a page is on its way the horizon stays where that page begins.
  // Nor does it go back before what was taken: that has its row until its commit, and a page from
  // before it would bring it again.
  if (loading_ || by_due_.size() <= 2 * most_) return;
  while (by_due_.size() > most_ && by_due_.rbegin()->first > taken_) {
    const auto last = std::prev(by_due_.end());
    auto& places = by_key_[last->second.key];
    places.erase(std::find(places.begin(), places.end(), last->first));
    if (places.empty()) by_key_.erase(last->second.key);
    by_due_.erase(last);
  }
  horizon_ = std::max(by_due_.rbegin()->first, taken_);
}

void TimerQueue::erase_if(const std::string& key,
                          const std::function<bool(const ports::TimerRow&)>& match) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  std::erase_if(found->second, [&](const Place& place) {
    const auto timer = by_due_.find(place);
    if (!match(timer->second)) return false;
    by_due_.erase(timer);
    return true;
  });
  if (found->second.empty()) by_key_.erase(found);
}

void TimerQueue::cancel(const std::string& key, const std::string& id_or_name) {
  if (loading_) meanwhile_.push_back({.added = {}, .key = key, .id_or_name = id_or_name});
  erase_if(key, [&](const ports::TimerRow& timer) {
    return timer.id == id_or_name || timer.name == id_or_name;
  });
}

void TimerQueue::cancel_all(const std::string& key) {
  if (loading_) meanwhile_.push_back({.added = {}, .key = key, .id_or_name = {}});
  erase_if(key, [](const ports::TimerRow&) { return true; });
}

std::vector<ports::TimerRow> TimerQueue::take_due(Time now) {
  std::vector<ports::TimerRow> due;
  while (!by_due_.empty() && by_due_.begin()->first.first <= now) {
    const auto first = by_due_.begin();
    auto& places = by_key_[first->second.key];
    places.erase(std::find(places.begin(), places.end(), first->first));
    if (places.empty()) by_key_.erase(first->second.key);
    taken_ = std::max(taken_, first->first);
    due.push_back(std::move(first->second));
    by_due_.erase(first);
  }
  return due;
}

std::optional<Time> TimerQueue::first_due() const {
  if (by_due_.empty()) return std::nullopt;
  return by_due_.begin()->first.first;
}

void TimerQueue::clear() {
  by_due_.clear();
  by_key_.clear();
  horizon_ = Place{};
  taken_ = {};
  loading_ = false;
  meanwhile_.clear();
}

}  // namespace host::runtime
