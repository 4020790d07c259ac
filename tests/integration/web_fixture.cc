#include "tests/integration/web_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <cerrno>
#include <stdexcept>

namespace host::webtest {
namespace {

constexpr int kDeadlineMs = 10'000;

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

}  // namespace

Client::Client(std::uint16_t port, bool v6)
    : fd_(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in v4_to = {};
  v4_to.sin_family = AF_INET;
  v4_to.sin_port = htons(port);
  v4_to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6_to = {};
  v6_to.sin6_family = AF_INET6;
  v6_to.sin6_port = htons(port);
  v6_to.sin6_addr = in6addr_loopback;
  const auto* to =
      v6 ? reinterpret_cast<const sockaddr*>(&v6_to) : reinterpret_cast<const sockaddr*>(&v4_to);
  if (::connect(fd_, to, v6 ? sizeof v6_to : sizeof v4_to) != 0) {
    ::close(fd_);
    throw std::runtime_error("connection refused");
  }
  wire_ = std::make_unique<Wire>(fd_);
}

Client::~Client() { close(); }
Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      wire_(std::move(other.wire_)),
      held_(std::move(other.held_)) {}

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = wire_->send(bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) return;  // the server has closed; its answer says why
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void Client::delivered() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
  for (int left = 1; left > 0; std::this_thread::yield()) {
    if (::ioctl(fd_, TIOCOUTQ, &left) != 0) throw std::runtime_error("the connection is gone");
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("not within 10 s");
  }
}

std::size_t Client::send_all_it_takes(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n =
        wire_->send(bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    pollfd wait{fd_, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&wait, 1, 200) <= 0) break;
  }
  return sent;
}

/// False at the end of the connection.
bool Client::more() {
  pollfd wait{fd_, POLLIN, 0};
  if (!wire_->holds() && ::poll(&wait, 1, kDeadlineMs) <= 0)
    throw std::runtime_error("no bytes within 10 s");
  char bytes[64 * 1024];
  const ssize_t n = wire_->receive(bytes, sizeof bytes);
  if (n <= 0) return false;
  held_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

std::string Client::read_until(std::string_view mark) {
  for (std::size_t from = 0;;) {
    const std::size_t at = held_.find(mark, from);
    from = held_.size() - std::min(held_.size(), mark.size());
    if (at != std::string::npos) {
      std::string out = held_.substr(0, at + mark.size());
      held_.erase(0, at + mark.size());
      return out;
    }
    if (!more()) throw std::runtime_error("the connection ended after \"" + held_ + "\"");
  }
}

std::string Client::Answer::header(std::string name) const {
  const std::string all = lower(head);
  const std::size_t at = all.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

Client::Answer Client::answer(bool to_head) {
  Answer answer;
  answer.head = read_until("\r\n\r\n");
  answer.status = std::stoi(answer.head.substr(9, 3));
  if (to_head || answer.status == 204 || answer.status == 100) return answer;
  if (answer.header("transfer-encoding") == "chunked") {
    for (;;) {
      const std::size_t size = std::stoul(read_until("\r\n"), nullptr, 16);
      const std::string chunk = size == 0 ? "" : read_until("\r\n");
      answer.body += chunk.substr(0, size);  // chunks of these tests hold no line ends
      if (size == 0) break;
    }
    read_until("\r\n");
    return answer;
  }
  const std::size_t length = std::stoul(answer.header("content-length"));
  while (held_.size() < length) {
    if (!more()) throw std::runtime_error("the body ended early");
  }
  answer.body = held_.substr(0, length);
  held_.erase(0, length);
  return answer;
}

std::string Client::rest() {
  while (more()) {
  }
  return std::exchange(held_, {});
}

bool Client::has_bytes() const {
  pollfd now{fd_, POLLIN, 0};
  return ::poll(&now, 1, 0) > 0;
}

bool Client::ended() { return rest().empty(); }
void Client::close_sending() { wire_->close_sending(); }
void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}
void Client::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

web::ServerSettings Lane::quick() {
  web::ServerSettings settings;
  settings.tick = std::chrono::milliseconds(10);
  settings.linger_timeout = std::chrono::milliseconds(500);
  settings.tls = Wire::identity();
  return settings;
}

Lane::Lane(web::ServerSettings settings, const std::string& where)
    : work_(boost::asio::make_work_guard(io)) {
  auto reserved = web::Address::reserve(where);
  if (!reserved) throw std::runtime_error(reserved.error().to_string());
  address = *reserved;
  auto listening = web::Server::listen(io, address, *this, settings);
  if (!listening) throw std::runtime_error(listening.error().to_string());
  server = std::move(*listening);
  thread_ = std::thread([this] { io.run(); });
}

Lane::~Lane() {
  run([this] {
    server.reset();
    streams.clear();
    held.clear();
  });
  work_.reset();
  thread_.join();
}

void Lane::run(std::function<void()> work) {
  std::promise<void> done;
  boost::asio::post(io, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void Lane::release(const std::string& path) {
  wait_for(path);
  run([&] {
    held.at(path)->respond({.status = 200, .headers = {}, .body = path});
    held.erase(path);
  });
}

void Lane::wait_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    bool good = false;
    run([&] { good = done(); });
    if (good) return;
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("not within 10 s");
    std::this_thread::yield();
  }
}

void Lane::wait_for(const std::string& path) {
  wait_until([&] { return held.count(path) == 1; });
}

std::future<void> Lane::drain() {
  auto promise = std::make_shared<std::promise<void>>();
  auto future = promise->get_future();
  run([&] { server->drain([promise] { promise->set_value(); }); });
  return future;
}

web::Server::Stats Lane::stats() {
  web::Server::Stats stats;
  run([&] { stats = server->stats(); });
  return stats;
}

std::size_t Lane::max_body(const HttpRequest& head) {
  return head.path == "/large" ? 64u << 20 : 1u << 20;
}

void Lane::handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) {
  asked.push_back(request.method + " " + request.path);
  if (on_asked) on_asked(request.path);
  const std::string& path = request.path;
  if (path == "/echo" || path == "/large") {
    const std::string body =
        request.body.size() > 1000 ? std::to_string(request.body.size()) : request.body;
    responder->respond({.status = 200,
                        .headers = {{"content-type", "text/plain"}},
                        .body = request.method + " " + path + " " + body});
  } else if (path.starts_with("/hold/")) {
    held[path] = std::move(responder);
  } else if (path.starts_with("/big/")) {
    responder->respond(
        {.status = 200, .headers = {}, .body = std::string(std::stoul(path.substr(5)), 'b')});
  } else if (path == "/stream" || path == "/whole") {
    using Body = ports::HttpResponder::Body;
    streams.push_back(responder->stream(
        {.status = 200, .headers = {{"content-type", "text/event-stream"}}, .body = "ignored"},
        path == "/whole" ? Body::whole : Body::events));
    streams.back()->on_close([this] { ++closed_streams; });
  } else if (path == "/raise") {
    throw std::runtime_error("a handler's defect");
  } else if (path == "/split") {
    responder->respond({.status = 200, .headers = {{"a", "b\r\nc: d"}}, .body = {}});
  } else if (path != "/drop") {
    responder->respond(problem(404, "no such path"));
  }
}

}  // namespace host::webtest
