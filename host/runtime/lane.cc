#include "host/runtime/lane.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <thread>
#include <unordered_map>

namespace host::runtime {
namespace asio = boost::asio;

struct Lane::Impl {
  explicit Impl(int n) : number(n) {}

  const int number;
  bool gone = false;  // the loop is being destroyed: callbacks that go with it may still cancel
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard;
  std::atomic<TimerId> next_timer{1};
  std::unordered_map<TimerId, std::unique_ptr<asio::steady_timer>> timers;  // on the lane
  std::thread thread;
};

Lane::Lane(int number) : impl_(std::make_unique<Impl>(number)) {}

Lane::~Lane() {
  stop();
  impl_->gone = true;
}

void Lane::start() {
  impl_->guard.emplace(impl_->io.get_executor());
  impl_->thread = std::thread([this] { impl_->io.run(); });
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
  const auto due = std::chrono::steady_clock::now() + delay;
  // The timer is made on the lane: nothing of it is shared with who asked.
  post([this, id, due, work = std::move(work)]() mutable {
    auto timer = std::make_unique<asio::steady_timer>(impl_->io, due);
    asio::steady_timer& armed = *timer;
    impl_->timers.emplace(id, std::move(timer));
    armed.async_wait(
        [this, id, work = std::move(work)](const boost::system::error_code& error) mutable {
          if (error || impl_->timers.erase(id) == 0) return;
          work();
        });
  });
  return id;
}

void Lane::cancel(TimerId id) {
  if (!impl_->gone) impl_->timers.erase(id);
}

int Lane::number() const { return impl_->number; }

bool Lane::here() const { return std::this_thread::get_id() == impl_->thread.get_id(); }

asio::io_context& Lane::io() { return impl_->io; }

}  // namespace host::runtime
