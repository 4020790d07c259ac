#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <string_view>

#include "host/adapters/web/server.h"
#include "host/base/result.h"

namespace host::web {

/// Owns a file descriptor. Only on its lane.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept;
  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

struct Endpoint {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  bool v6() const { return storage.ss_family == AF_INET6; }
  std::uint16_t port() const;
};

/// What the lanes of an address share.
struct Address::Impl {
  Endpoint endpoint;
  std::string text;
  Socket reservation;  // bound, never listening: keeps the port between probe and first lane
  std::atomic<std::size_t> connections{0};
};

/// A socket bound to `endpoint`. With `shared` others that share may bind it too.
Result<Socket> bind_socket(const Endpoint& endpoint, bool shared, std::string_view text);

}  // namespace host::web
