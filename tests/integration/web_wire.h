#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "host/adapters/web/server.h"

struct ssl_ctx_st;
struct ssl_st;

namespace host::webtest {

/// How the bytes of a test's client travel: as they are, or, in the build with HOST_WEB_TLS,
/// through TLS, so that the whole suite runs over both. As send() and recv() of the system, also in
/// that one thread may send while another receives.
class Wire {
 public:
  /// `fd` is connected and stays the caller's; with TLS it blocks no more. A handshake that fails
  /// shows when reading.
  explicit Wire(int fd);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  ssize_t send(const char* bytes, std::size_t size, int flags);
  ssize_t receive(char* room, std::size_t size);
  /// Bytes came that the descriptor no longer shows.
  bool holds() const;
  void close_sending();
  /// The name in the server's certificate; "" without TLS.
  std::string server_name() const;

  /// What the server of a test gets; null without TLS.
  static std::shared_ptr<web::TlsIdentity> identity();
  static constexpr bool tls() {
#ifdef HOST_WEB_TLS
    return true;
#else
    return false;
#endif
  }

 private:
  int repeat(const std::function<int()>& call, bool wait);

  const int fd_;
  mutable std::mutex mutex_;  // OpenSSL's session is for one thread at a time
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
};

}  // namespace host::webtest
