#include "host/adapters/web/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace host::web {
namespace {

Error system_error(std::string_view text, int code) {
  const std::string address(text);
  if (code == EADDRINUSE) {
    return make_error(Error::Code::conflict, "cannot listen on " + address + ": the port is taken",
                      "end the other process, or choose another port");
  }
  return make_error(Error::Code::unavailable,
                    "cannot listen on " + address + ": " + std::strerror(code));
}

Error bad_address(std::string_view text, const char* why) {
  return make_error(Error::Code::invalid,
                    "\"" + std::string(text) + "\" is not an address to listen on: " + why,
                    "an address is IP:PORT, such as 127.0.0.1:8080 or [::1]:8080");
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address(text, "no port");
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    return bad_address(text, "the port is no number from 0 to 65535");
  }
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  Endpoint endpoint;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    endpoint.length = sizeof *v6;
    const std::string inner = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, inner.c_str(), &v6->sin6_addr) == 1) return endpoint;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&endpoint.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    endpoint.length = sizeof *v4;
    if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) return endpoint;
  }
  return bad_address(text, "the host is no IP address");
}

bool set_option(int fd, int level, int name) {
  const int on = 1;
  return setsockopt(fd, level, name, &on, sizeof on) == 0;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}
Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}
int Socket::release() { return std::exchange(fd_, -1); }

std::uint16_t Endpoint::port() const {
  return ntohs(v6() ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                    : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

Result<Socket> bind_socket(const Endpoint& endpoint, bool shared, std::string_view text) {
  Socket fd(::socket(endpoint.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return system_error(text, errno);
  bool good = set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (shared) good = good && set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  if (endpoint.v6()) good = good && set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (!good || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&endpoint.storage),
                      endpoint.length) != 0) {
    return system_error(text, errno);
  }
  return fd;
}

Address::Address(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Address::~Address() = default;

Result<std::shared_ptr<Address>> Address::reserve(std::string_view text) {
  const Result<Endpoint> endpoint = parse_endpoint(text);
  if (!endpoint) return endpoint.error();
  auto impl = std::make_unique<Impl>();
  impl->endpoint = *endpoint;
  if (endpoint->port() != 0) {
    // A port that another process shares would be given to us too, and half of its requests. Only
    // a bind without sharing tells.
    const Result<Socket> probe = bind_socket(*endpoint, false, text);
    if (!probe) return probe.error();
  }
  Result<Socket> bound = bind_socket(*endpoint, true, text);
  if (!bound) return bound.error();
  impl->reservation = std::move(*bound);
  impl->endpoint.length = sizeof impl->endpoint.storage;
  if (::getsockname(impl->reservation.get(), reinterpret_cast<sockaddr*>(&impl->endpoint.storage),
                    &impl->endpoint.length) != 0) {
    return system_error(text, errno);
  }
  impl->text =
      std::string(text.substr(0, text.rfind(':') + 1)) + std::to_string(impl->endpoint.port());
  return std::shared_ptr<Address>(new Address(std::move(impl)));
}

std::uint16_t Address::port() const { return impl_->endpoint.port(); }
std::string Address::to_string() const { return impl_->text; }
std::size_t Address::connections() const { return impl_->connections.load(); }

}  // namespace host::web
