#include "host/app/control_loop.h"

#include <algorithm>

namespace host::app {

void ControlLoop::post(UniqueFunction<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(work));
  }
  changed_.notify_all();
}

Executor::TimerId ControlLoop::post_after(Duration delay, UniqueFunction<void()> work) {
  TimerId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_id_++;
    delayed_.emplace(Clock::now() + delay, Delayed{id, std::move(work)});
  }
  changed_.notify_all();
  return id;
}

void ControlLoop::cancel(TimerId id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(delayed_, [id](const auto& entry) { return entry.second.id == id; });
}

/// Waits for work; false: there was none until then, or the loop ends.
bool ControlLoop::take(UniqueFunction<void()>& work, Clock::time_point until) {
  std::unique_lock lock(mutex_);
  while (!quit_) {
    const auto first = delayed_.begin();
    const Clock::time_point now = Clock::now();
    if (now >= until) return false;
    if (first != delayed_.end() && first->first <= now) {
      work = std::move(first->second.work);
      delayed_.erase(first);
      return true;
    }
    if (!ready_.empty()) {
      work = std::move(ready_.front());
      ready_.pop_front();
      return true;
    }
    const Clock::time_point due = first == delayed_.end() ? until : std::min(until, first->first);
    if (due == Clock::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, due);
    }
  }
  return false;
}

void ControlLoop::run() {
  UniqueFunction<void()> work;
  while (take(work, Clock::time_point::max())) {
    work();
    work = nullptr;
  }
}

bool ControlLoop::run_for(Duration time) {
  const Clock::time_point until = Clock::now() + time;
  UniqueFunction<void()> work;
  while (take(work, until)) {
    work();
    work = nullptr;
  }
  const std::lock_guard lock(mutex_);
  return !quit_;
}

void ControlLoop::quit() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
}

}  // namespace host::app
