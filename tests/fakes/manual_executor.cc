#include "tests/fakes/manual_executor.h"

#include <algorithm>
#include <utility>

namespace host::fakes {

Scheduler::Scheduler(std::uint64_t seed) : seeded_(seed != 0), random_(seed) {}

std::optional<Scheduler::Work> Scheduler::take() {
  std::lock_guard lock(mutex_);
  ManualExecutor* chosen = nullptr;
  std::size_t candidates = 0;
  for (ManualExecutor* executor : executors_) {
    executor->move_due(clock_.now());
    if (executor->paused_ || executor->ready_.empty()) continue;
    ++candidates;
    const bool better =
        chosen == nullptr || (seeded_ ? random_() % candidates == 0
                                      : executor->ready_.front().id < chosen->ready_.front().id);
    if (better) chosen = executor;
  }
  if (chosen == nullptr) return std::nullopt;
  Work work = std::move(chosen->ready_.front());
  chosen->ready_.pop_front();
  return work;
}

bool Scheduler::run_one() {
  std::optional<Work> work = take();
  if (!work) return false;
  work->run();
  return true;
}

bool Scheduler::run_until_idle(std::size_t limit) {
  for (; limit > 0; --limit) {
    if (!run_one()) return true;
  }
  return false;
}

bool Scheduler::run_until(const std::function<bool()>& done, std::size_t limit) {
  for (; limit > 0; --limit) {
    if (done()) return true;
    if (run_one()) continue;
    const std::optional<Time> due = next_due();
    if (!due) return false;
    clock_.set(std::max(clock_.now(), *due));
  }
  return done();
}

bool Scheduler::advance(Duration d, std::size_t limit) {
  const Time end = clock_.now() + d;
  for (; limit > 0; --limit) {
    if (run_one()) continue;
    const std::optional<Time> due = next_due();
    if (!due || *due > end) {
      clock_.set(std::max(clock_.now(), end));
      return true;
    }
    clock_.set(std::max(clock_.now(), *due));
  }
  return false;
}

bool Scheduler::wait_until(const std::function<bool()>& done, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!done()) {
    if (run_one()) continue;
    std::unique_lock lock(mutex_);
    const auto ready = [this] {
      return std::any_of(executors_.begin(), executors_.end(), [this](const ManualExecutor* e) {
        return !e->paused_ &&
               (!e->ready_.empty() ||
                (!e->delayed_.empty() && e->delayed_.begin()->first.first <= clock_.now()));
      });
    };
    if (!posted_.wait_until(lock, end, ready)) return false;
  }
  return true;
}

std::optional<Time> Scheduler::next_due() {
  std::lock_guard lock(mutex_);
  std::optional<Time> due;
  for (const ManualExecutor* executor : executors_) {
    if (executor->paused_ || executor->delayed_.empty()) continue;
    const Time first = executor->delayed_.begin()->first.first;
    if (!due || first < *due) due = first;
  }
  return due;
}

ManualExecutor::ManualExecutor(Scheduler& scheduler) : scheduler_(scheduler) {
  std::lock_guard lock(scheduler_.mutex_);
  scheduler_.executors_.push_back(this);
}

ManualExecutor::~ManualExecutor() {
  kill();
  std::lock_guard lock(scheduler_.mutex_);
  std::erase(scheduler_.executors_, this);
}

void ManualExecutor::post(UniqueFunction<void()> work) {
  if (dead_) return;
  {
    std::lock_guard lock(scheduler_.mutex_);
    ready_.push_back({++scheduler_.last_id_, std::move(work)});
  }
  scheduler_.posted_.notify_all();
}

Executor::TimerId ManualExecutor::post_after(Duration delay, UniqueFunction<void()> work) {
  if (dead_) return 0;
  std::lock_guard lock(scheduler_.mutex_);
  const TimerId id = ++scheduler_.last_id_;
  const Time now = scheduler_.clock_.now();
  const Time due = delay > Time::max() - now ? Time::max() : now + std::max(delay, Duration{0});
  delayed_.emplace(std::pair{due, id}, std::move(work));
  return id;
}

void ManualExecutor::cancel(TimerId id) {
  UniqueFunction<void()> dropped;  // destroyed after the lock: it may own what calls us
  std::lock_guard lock(scheduler_.mutex_);
  const auto delayed = std::find_if(delayed_.begin(), delayed_.end(),
                                    [&](const auto& entry) { return entry.first.second == id; });
  if (delayed != delayed_.end()) {
    dropped = std::move(delayed->second);
    delayed_.erase(delayed);
    return;
  }
  const auto ready = std::find_if(ready_.begin(), ready_.end(),
                                  [&](const Scheduler::Work& work) { return work.id == id; });
  if (ready == ready_.end()) return;
  dropped = std::move(ready->run);
  ready_.erase(ready);
}

void ManualExecutor::pause() {
  std::lock_guard lock(scheduler_.mutex_);
  paused_ = true;
}

void ManualExecutor::resume() {
  std::lock_guard lock(scheduler_.mutex_);
  paused_ = false;
}

void ManualExecutor::kill() {
  decltype(ready_) ready;
  decltype(delayed_) delayed;
  {
    std::lock_guard lock(scheduler_.mutex_);
    dead_ = true;
    ready.swap(ready_);
    delayed.swap(delayed_);
  }
}

void ManualExecutor::move_due(Time now) {
  while (!delayed_.empty() && delayed_.begin()->first.first <= now) {
    auto node = delayed_.extract(delayed_.begin());
    ready_.push_back({node.key().second, std::move(node.mapped())});
  }
}

}  // namespace host::fakes
