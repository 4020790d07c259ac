#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/base/unique_function.h"
#include "host/ports/http_server.h"
#include "host/ports/logger.h"

namespace boost::asio {
class io_context;
}

namespace host::web {

class TlsIdentity;
class TrustedProxies;

struct ServerSettings {
  std::size_t max_connections = 10'000;  // of the address, over all lanes; above it 503 and close
  std::size_t max_header_bytes = 8192;   // request line and headers; above it 431
  std::size_t max_headers = 100;
  std::size_t max_pipelined = 64;       // requests of one connection that wait for answers
  std::size_t max_unsent = 256 * 1024;  // bytes of answers that wait before no request is read
  // Deadlines are absolute: bytes that drip in do not move them.
  Duration header_timeout = std::chrono::seconds(10);
  Duration body_timeout = std::chrono::seconds(30);
  Duration idle_timeout = std::chrono::seconds(60);
  Duration write_timeout = std::chrono::seconds(30);  // plus the bytes that wait / slowest_client
  std::size_t slowest_client = 16 * 1024;             // bytes a second that a client must take
  Duration linger_timeout = std::chrono::seconds(2);  // for a client that still sends when refused
  Duration tick = std::chrono::milliseconds(500);     // how exact the deadlines are
  ports::Logger* logger = nullptr;  // outlives the server; for defects of handlers and accept()
  std::shared_ptr<TlsIdentity> tls = {};               // null: HTTP without TLS
  std::shared_ptr<const TrustedProxies> proxies = {};  // null: a client is who connected
};

/// An address that is reserved for this process; its lanes listen on it together. Made once, before
/// the lanes start; lives until the last server on it is gone. Thread-safe.
class Address {
 public:
  /// `text`: "127.0.0.1:8080", "[::1]:8080", "localhost:0"; port 0 is a free port. Errors: invalid
  /// (no such form), conflict (another process holds the port, also one that shares it by
  /// SO_REUSEPORT), unavailable (not ours, no permission).
  static Result<std::shared_ptr<Address>> reserve(std::string_view text);
  ~Address();
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;

  std::uint16_t port() const;
  /// "127.0.0.1:8080", with the port that was given.
  std::string to_string() const;
  /// Open now, over all lanes.
  std::size_t connections() const;

 private:
  friend class Server;
  struct Impl;
  explicit Address(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The HTTP/1.1 server of one lane on one address: accepts its share of the connections, reads
/// requests strictly, asks the handler, and answers in the order of the requests, however late the
/// handler answers each. The kernel spreads connections over the lanes (SO_REUSEPORT), so nothing
/// is shared but the count of connections.
///
/// With TLS the same holds for what its bytes say; the handshake belongs to the time of the first
/// head. A client that speaks HTTP to it is told so (400).
///
/// What it refuses by itself, as problem documents: 400 (grammar, smuggling, encodings), 408, 413,
/// 417, 431, 501, 503 (too many connections), 505. `OPTIONS *` is answered 204.
///
/// A client that closed its sending half still gets its answers, but alive() is false and its
/// stream is over. A stream that is dropped without finish() breaks the connection, so that the
/// client sees that it is not whole. Callbacks of streams run later on the io_context, never inside
/// a call.
///
/// Destroying it drops every connection; responders and streams that are left have no effect then.
/// Not inside a call of the handler. The io_context and the handler outlive it.
/// Only on its lane.
class Server {
 public:
  struct Stats {
    std::size_t connections = 0;  // open now
    std::uint64_t accepted = 0;
    std::uint64_t requests = 0;  // given to the handler
    std::uint64_t refused = 0;   // answered or dropped before the handler saw them
  };

  /// Begins to accept when `io` runs. Errors: unavailable (no socket).
  static Result<std::unique_ptr<Server>> listen(boost::asio::io_context& io,
                                                std::shared_ptr<Address> address,
                                                ports::HttpHandler& handler,
                                                ServerSettings settings = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  Stats stats() const;

  /// Refuses new connections, closes idle ones, ends streams, lets requests that are under way be
  /// answered, with "Connection: close". `done` comes, never inside this call, when the last
  /// connection is closed; whoever cannot wait destroys the server. May be called again.
  void drain(UniqueFunction<void()> done);

 private:
  class Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace host::web
