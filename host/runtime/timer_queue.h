#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/ports/store.h"

namespace host::runtime {

/// The next timers of a shard, by due time. It holds heads, not all: those beyond the horizon stay
/// in the store until the shard has come there. Holds committed timers only. Only on its lane.
class TimerQueue {
 public:
  explicit TimerQueue(std::size_t most) : most_(most) {}

  /// A page is on its way from the store. What is added behind the horizon, or cancelled, until it
  /// is here is noted and done upon it: the page may have been read before or after that change.
  void begin_page();
  /// A page as the store gave it, in order; shorter than `limit`: there are no more behind it.
  void add_page(std::vector<ports::TimerRow> page, std::size_t limit);
  /// A timer that was just committed; kept if it lies before the horizon.
  void add(ports::TimerRow timer);
  void cancel(const std::string& key, const std::string& id_or_name);
  void cancel_all(const std::string& key);
  /// Takes out what is due at `now`, in order.
  std::vector<ports::TimerRow> take_due(Time now);

  std::optional<Time> first_due() const;
  /// Nothing is left before the horizon, and the store has more behind it.
  bool needs_page() const { return by_due_.empty() && horizon_.has_value() && !loading_; }
  /// Where the next page begins: strictly after this place.
  std::pair<Time, std::string> horizon() const { return horizon_.value_or(Place{}); }
  std::size_t size() const { return by_due_.size(); }
  void clear();

 private:
  using Place = std::pair<Time, std::string>;  // due, id
  struct Change {
    std::optional<ports::TimerRow> added;  // nothing: cancelled
    std::string key;
    std::optional<std::string> id_or_name;  // nothing: all of the key

    bool cancels(const ports::TimerRow& timer) const;
  };

  void cut();
  void insert(ports::TimerRow timer);
  void erase_if(const std::string& key, const std::function<bool(const ports::TimerRow&)>& match);

  std::size_t most_;
  std::map<Place, ports::TimerRow> by_due_;
  std::unordered_map<std::string, std::vector<Place>> by_key_;
  std::optional<Place> horizon_ = Place{};  // nothing: all timers of the shard are here
  Place taken_;                             // the last one by its place that take_due() gave
  bool loading_ = false;
  std::vector<Change> meanwhile_;  // while loading
};

}  // namespace host::runtime
