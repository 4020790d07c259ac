#include "host/adapters/web/poller.h"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace host::web {

namespace {

/// Told of in one round; the others come in the next, behind what else the lane has to do.
constexpr int kARound = 256;

}  // namespace

Result<std::shared_ptr<Poller>> Poller::make(boost::asio::io_context& io) {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) {
    return make_error(Error::Code::unavailable,
                      std::string("cannot watch sockets: ") + std::strerror(errno));
  }
  std::shared_ptr<Poller> poller(new Poller(io, fd));
  poller->wait();
  return poller;
}

bool Poller::add(int fd, Watcher& watcher) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &watcher;
  return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::keep(std::shared_ptr<void> thing) {
  if (in_round_ || !after_turn_.empty()) kept_.push_back(std::move(thing));
}

void Poller::after_turn(Watcher& watcher) {
  const bool first = after_turn_.empty();
  after_turn_.push_back(&watcher);
  if (first && !in_round_) {
    boost::asio::post(epoll_.get_executor(), [self = shared_from_this()] { self->end_turn(); });
  }
}

/// Who asks meanwhile is told in this turn, too.
void Poller::end_turn() {
  for (std::size_t i = 0; i < after_turn_.size(); ++i) after_turn_[i]->on_turn_over();
  after_turn_.clear();
  if (!in_round_) kept_.clear();
}

void Poller::stop() {
  end_turn();
  boost::system::error_code ec;
  epoll_.close(ec);
}

void Poller::wait() {
  epoll_.async_wait(Descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& ec) {
                      if (!ec) self->round();
                    });
}

void Poller::round() {
  std::array<epoll_event, kARound> events;
  const int n = ::epoll_wait(epoll_.native_handle(), events.data(), kARound, 0);
  in_round_ = true;
  for (int i = 0; i < n; ++i) {
    const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
    const bool hangup = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    static_cast<Watcher*>(events[static_cast<std::size_t>(i)].data.ptr)
        ->on_ready(hangup || (what & EPOLLIN) != 0, hangup || (what & EPOLLOUT) != 0, hangup);
  }
  in_round_ = false;
  end_turn();
  if (epoll_.is_open()) wait();
}

}  // namespace host::web
