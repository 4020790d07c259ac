#include "host/app/virtual_executor.h"

#include <time.h>

#include <algorithm>

namespace host::app {
namespace {

// Not the time of day: a busy machine costs no test its life.
Duration used_cpu() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(t.tv_sec) +
                                              std::chrono::nanoseconds(t.tv_nsec));
}

}  // namespace

void VirtualExecutor::stop_after(Duration cpu_time) { cpu_limit_ = used_cpu() + cpu_time; }

void VirtualExecutor::post(UniqueFunction<void()> work) { ready_.push_back(std::move(work)); }

Executor::TimerId VirtualExecutor::post_after(Duration delay, UniqueFunction<void()> work) {
  delayed_.emplace(std::pair(now_ + delay, next_), std::move(work));
  return next_++;
}

void VirtualExecutor::cancel(TimerId id) {
  std::erase_if(delayed_, [id](const auto& entry) { return entry.first.second == id; });
}

bool VirtualExecutor::run_ready() {
  while (!ready_.empty()) {
    if (used_cpu() >= cpu_limit_) return false;
    UniqueFunction<void()> work = std::move(ready_.front());
    ready_.pop_front();
    work();
  }
  return true;
}

bool VirtualExecutor::advance(Duration duration) {
  const Time until = now_ + duration;
  if (!run_ready()) return false;
  while (!delayed_.empty() && delayed_.begin()->first.first <= until) {
    auto first = delayed_.extract(delayed_.begin());
    now_ = std::max(now_, first.key().first);
    post(std::move(first.mapped()));
    if (!run_ready()) return false;
  }
  now_ = until;
  return true;
}

Duration VirtualExecutor::until_next() const {
  if (delayed_.empty()) return kForever;
  return std::max(delayed_.begin()->first.first - now_, Duration::zero());
}

void VirtualExecutor::clear() {
  ready_.clear();
  delayed_.clear();
}

}  // namespace host::app
