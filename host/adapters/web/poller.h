#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <memory>
#include <vector>

#include "host/base/result.h"

namespace host::web {

/// Says when the sockets of a server can be read or written: one epoll for all of them, itself
/// watched by the lane's loop. Asio's own sockets ask the kernel once more after every request
/// whether there is another; here a round of the loop is one call for all that are ready, in the
/// order in which they became so. What is written leaves when the round is over: a client that
/// slept is woken by the first of many answers, not by each.
/// Only on its lane.
class Poller : public std::enable_shared_from_this<Poller> {
 public:
  /// Who watches a socket.
  class Watcher {
   public:
    /// `readable`: there are bytes or an end; `hangup`: an end may be among them; told once, until
    /// a read has found no more. `writable`: after a write that found no room, there is some.
    virtual void on_ready(bool readable, bool writable, bool hangup) = 0;
    /// Once after each after_turn().
    virtual void on_turn_over() = 0;

   protected:
    ~Watcher() = default;
  };

  /// Error: unavailable (no descriptor).
  static Result<std::shared_ptr<Poller>> make(boost::asio::io_context& io);

  /// Tells `watcher` of `fd`, from the next round of the loop on and until `fd` is closed. A
  /// watcher that closed its socket may still be told in the turn that runs: keep() it until then.
  /// False: the kernel has no memory for it.
  bool add(int fd, Watcher& watcher);
  /// Keeps `thing` until nobody is told any more of what has happened so far.
  void keep(std::shared_ptr<void> thing);
  /// Tells `watcher` when the round is over; outside of one, when the loop has done what waits now.
  void after_turn(Watcher& watcher);
  /// Tells at once who waits for the end of the turn, and nobody that its socket is ready any more.
  void stop();

 private:
  using Descriptor =
      boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

  Poller(boost::asio::io_context& io, int fd) : epoll_(io, fd) {}
  void wait();
  void round();
  void end_turn();

  Descriptor epoll_;
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<Watcher*> after_turn_;
  bool in_round_ = false;
};

}  // namespace host::web
