#include "host/adapters/web/server.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "host/adapters/web/address.h"
#include "host/adapters/web/connection.h"

namespace host::web {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>,
                                         asio::io_context::executor_type>;

constexpr int kBacklog = 4096;
constexpr int kAcceptedARound = 64;         // others have their turn in between
constexpr std::size_t kToldOverload = 100;  // clients above the cap that are told why

std::string http_date() {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[40];  // not strftime: its names follow the locale
  std::snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d GMT", kDays[utc.tm_wday],
                utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                utc.tm_sec);
  return text;
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::io_context& io, std::shared_ptr<Address> address, ports::HttpHandler& handler,
       ServerSettings settings)
      : address_(std::move(address)),
        core_(std::make_shared<ServerCore>(ServerCore{io, handler, settings})),
        acceptor_(io),
        timer_(io) {}

  Result<void> start();
  void stop();
  void drain(UniqueFunction<void()> done);
  Stats stats() const;
  std::uint16_t port() const { return address_->port(); }

 private:
  void accept();
  bool accept_one();
  void accepted(Socket socket, const tcp::endpoint& peer);
  void accept_failed(int error);
  void tick();
  void arm();
  void removed();
  void tell_drained();

  std::shared_ptr<Address> address_;
  std::shared_ptr<ServerCore> core_;
  Acceptor acceptor_;
  Timer timer_;
  std::vector<UniqueFunction<void()>> drained_;
  bool accept_waits_ = false;  // accept() failed for want of something; the tick tries again
  bool stopped_ = false;
};

Result<void> Server::Impl::start() {
  Address::Impl& shared = *address_->impl_;
  Result<Socket> bound = bind_socket(shared.endpoint, true, shared.text);
  if (!bound) return bound.error();
  error_code ec;
  acceptor_.assign(shared.endpoint.v6() ? tcp::v6() : tcp::v4(), bound->get(), ec);
  if (!ec) bound->release();
  if (!ec) acceptor_.listen(kBacklog, ec);
  if (!ec) acceptor_.non_blocking(true, ec);
  if (ec) {
    return make_error(
        ec == asio::error::address_in_use ? Error::Code::conflict : Error::Code::unavailable,
        "cannot listen on " + shared.text + ": " + ec.message());
  }
  Result<std::shared_ptr<Poller>> poller = Poller::make(core_->io);
  if (!poller) return poller.error();
  core_->poller = std::move(*poller);
  core_->now = std::chrono::steady_clock::now();
  core_->date = http_date();
  if (core_->settings.tls) core_->wire.resize(ReadBuffer::kLarge / 2);
  core_->on_removed = [this] { removed(); };
  arm();
  accept();
  return {};
}

void Server::Impl::accept() {
  acceptor_.async_wait(Acceptor::wait_read, [self = shared_from_this()](const error_code& ec) {
    if (ec || self->stopped_ || self->core_->draining) return;
    for (int i = 0; i < kAcceptedARound && self->accept_one(); ++i) {
    }
    if (!self->accept_waits_) self->accept();
  });
}

/// False: nobody waits, or whoever waits cannot be accepted now.
bool Server::Impl::accept_one() {
  tcp::endpoint peer;
  auto length = static_cast<socklen_t>(peer.capacity());
  Socket socket(
      ::accept4(acceptor_.native_handle(), peer.data(), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.get() >= 0) {
    peer.resize(length);
    accepted(std::move(socket), peer);
    return true;
  }
  if (errno == ECONNABORTED || errno == EINTR) return true;
  if (errno != EAGAIN) accept_failed(errno);
  return false;
}

/// Out of descriptors or memory: trying at once would spin.
void Server::Impl::accept_failed(int error) {
  accept_waits_ = true;
  if (core_->settings.logger != nullptr) {
    core_->settings.logger->log(
        ports::LogLevel::warn, "cannot accept an HTTP connection",
        {{"address", address_->to_string()}, {"error", std::strerror(error)}});
  }
}

void Server::Impl::accepted(Socket socket, const tcp::endpoint& peer) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ++core_->stats.accepted;
  const std::size_t others = address_->impl_->connections.fetch_add(1);
  const std::size_t cap = core_->settings.max_connections;
  const auto& tls = core_->settings.tls;
  // With TLS nobody above the cap is told why: it would take the handshake that is to be spared.
  if (others >= cap + (tls ? 0 : kToldOverload)) {
    address_->impl_->connections.fetch_sub(1);
    ++core_->stats.refused;
    return;
  }
  auto session = tls ? std::make_unique<TlsSession>(tls->current()) : nullptr;
  auto connection = std::make_shared<Connection>(core_, std::move(socket),
                                                 peer.address().to_string(), std::move(session));
  const auto self = core_->connections.insert(core_->connections.end(), connection);
  connection->start(self);
  if (others >= cap) connection->refuse_overload();
}

void Server::Impl::removed() {
  address_->impl_->connections.fetch_sub(1);
  if (core_->draining && core_->connections.empty()) tell_drained();
}

void Server::Impl::tell_drained() {
  for (UniqueFunction<void()>& done : drained_) {
    asio::post(core_->io, [call = std::move(done)]() mutable { call(); });
  }
  drained_.clear();
}

void Server::Impl::arm() {
  timer_.expires_after(core_->settings.tick);
  timer_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (!ec && !self->stopped_) self->tick();
  });
}

void Server::Impl::tick() {
  core_->now = std::chrono::steady_clock::now();
  core_->date = http_date();
  for (auto it = core_->connections.begin(); it != core_->connections.end();) {
    const std::shared_ptr<Connection> connection = *it++;
    connection->on_tick();
  }
  if (accept_waits_ && !core_->draining) {
    accept_waits_ = false;
    accept();
  }
  arm();
}

void Server::Impl::drain(UniqueFunction<void()> done) {
  drained_.push_back(std::move(done));
  if (!core_->draining) {
    while (accept_one()) {  // who is in the kernel's queue has connected before we refused anybody
    }
    core_->draining = true;
    error_code ec;
    acceptor_.close(ec);
  }
  for (auto it = core_->connections.begin(); it != core_->connections.end();) {
    const std::shared_ptr<Connection> connection = *it++;
    connection->drain();
  }
  if (core_->connections.empty()) tell_drained();
}

void Server::Impl::stop() {
  stopped_ = true;
  error_code ec;
  acceptor_.close(ec);
  timer_.cancel();
  drained_.clear();
  core_->poller->stop();  // what was answered leaves
  while (!core_->connections.empty()) {
    const std::shared_ptr<Connection> connection = core_->connections.front();
    connection->abort();
  }
  core_->on_removed = nullptr;
}

Server::Stats Server::Impl::stats() const {
  Stats stats = core_->stats;
  stats.connections = core_->connections.size();
  return stats;
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->stop(); }

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& io,
                                               std::shared_ptr<Address> address,
                                               ports::HttpHandler& handler,
                                               ServerSettings settings) {
  auto impl = std::make_shared<Impl>(io, std::move(address), handler, settings);
  const Result<void> started = impl->start();
  if (!started) return started.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const { return impl_->port(); }
Server::Stats Server::stats() const { return impl_->stats(); }
void Server::drain(UniqueFunction<void()> done) { impl_->drain(std::move(done)); }

}  // namespace host::web
