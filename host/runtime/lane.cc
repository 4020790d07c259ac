#include "host/runtime/lane.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>

namespace host::runtime {
namespace asio = boost::asio;
namespace {

/// Longer delays would leave the range of the steady clock; nobody sees the difference.
constexpr Duration kLongest = std::chrono::hours(24 * 365 * 10);

}  // namespace

struct Lane::Impl {
  explicit Impl(int n) : number(n) {}

  const int number;
  bool gone = false;  // the loop is being destroyed: callbacks that go with it may still cancel
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard;
  std::atomic<TimerId> next_timer{1};
  std::unordered_map<TimerId, std::unique_ptr<asio::steady_timer>> timers;  // on the lane
  std::mutex mutex;
  std::unordered_set<TimerId> coming;  // posted by other threads, not armed yet; guarded by mutex
  std::thread thread;

  /// The lane whose loop runs on this thread.
  static inline thread_local const Impl* current = nullptr;

  void arm(TimerId id, std::chrono::steady_clock::time_point due, UniqueFunction<void()> work) {
    auto timer = std::make_unique<asio::steady_timer>(io, due);
    asio::steady_timer& armed = *timer;
    timers.emplace(id, std::move(timer));
    armed.async_wait(
        [this, id, work = std::move(work)](const boost::system::error_code& error) mutable {
          if (error || timers.erase(id) == 0) return;
          work();
        });
  }
};

Lane::Lane(int number) : impl_(std::make_unique<Impl>(number)) {}

Lane::~Lane() {
  stop();
  impl_->gone = true;
}

void Lane::start() {
  impl_->guard.emplace(impl_->io.get_executor());
  impl_->thread = std::thread([impl = impl_.get()] {
    Impl::current = impl;
    impl->io.run();
  });
}

void Lane::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->guard.reset();
  impl_->io.stop();
  impl_->thread.join();
}

void Lane::post(UniqueFunction<void()> work) { asio::post(impl_->io, std::move(work)); }

Executor::TimerId Lane::post_after(Duration delay, UniqueFunction<void()> work) {
  const TimerId id = impl_->next_timer.fetch_add(1, std::memory_order_relaxed);
  const auto due = std::chrono::steady_clock::now() + std::clamp(delay, Duration::zero(), kLongest);
  if (here()) {
    impl_->arm(id, due, std::move(work));
    return id;
  }
  // The timer is made on the lane: nothing of it is shared with who asked.
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->coming.insert(id);
  }
  post([impl = impl_.get(), id, due, work = std::move(work)]() mutable {
    {
      const std::lock_guard lock(impl->mutex);
      if (impl->coming.erase(id) == 0) return;  // cancelled
    }
    impl->arm(id, due, std::move(work));
  });
  return id;
}

void Lane::cancel(TimerId id) {
  if (impl_->gone || impl_->timers.erase(id) > 0) return;
  const std::lock_guard lock(impl_->mutex);
  impl_->coming.erase(id);
}

int Lane::number() const { return impl_->number; }

bool Lane::here() const { return Impl::current == impl_.get(); }

asio::io_context& Lane::io() { return impl_->io; }

}  // namespace host::runtime
