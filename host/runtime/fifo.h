#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <utility>

namespace host::runtime {

/// A queue that allocates nothing for its first two items: there are two queues a mailbox, and most
/// mailboxes live for one message. Adding and taking at the ends is cheap; what else there is goes
/// through all of it. Not thread-safe.
template <class T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(head_); }
  auto end() const { return items_.end(); }
  const T& operator[](std::size_t i) const { return items_[head_ + i]; }
  const T& front() const { return items_[head_]; }
  const T& back() const { return items_.back(); }

  void push_back(T item) { items_.push_back(std::move(item)); }
  void push_front(T item) {
    if (head_ > 0) {
      items_[--head_] = std::move(item);
    } else {
      items_.insert(items_.begin(), std::move(item));
    }
  }
  void pop_front() {
    items_[head_++] = T{};
    if (head_ == items_.size()) {
      items_.clear();
      head_ = 0;
    } else if (head_ >= kGap && 2 * head_ >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void pop_back() { items_.pop_back(); }
  template <class Predicate>
  void erase_if(Predicate predicate) {
    items_.erase(std::remove_if(items_.begin() + static_cast<std::ptrdiff_t>(head_), items_.end(),
                                std::move(predicate)),
                 items_.end());
  }

 private:
  static constexpr std::size_t kGap = 32;  // taken items before the rest moves up

  boost::container::small_vector<T, 2> items_;
  std::size_t head_ = 0;  // what lies before it was taken
};

}  // namespace host::runtime
