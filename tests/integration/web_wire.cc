#include "tests/integration/web_wire.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>

#include "host/adapters/web/tls.h"
#include "tests/fakes/tls_pair.h"

namespace host::webtest {

std::shared_ptr<web::TlsIdentity> Wire::identity() {
  if (!tls()) return nullptr;
  static const auto shared = [] {
    const fakes::TlsPair pair = fakes::make_tls_pair("inn.example");
    return std::make_shared<web::TlsIdentity>(
        *web::TlsCredentials::make(pair.certificate, pair.key));
  }();
  return shared;
}

Wire::Wire(int fd) : fd_(fd) {
  if (!tls()) return;
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  repeat([&] { return SSL_connect(ssl_); }, true);
}

Wire::~Wire() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

/// Calls until it succeeds or fails for good; waits outside of the lock, at most 10 s.
int Wire::repeat(const std::function<int()>& call, bool wait) {
  for (;;) {
    short events = 0;
    {
      const std::lock_guard lock(mutex_);
      ERR_clear_error();
      const int n = call();
      if (n > 0) return n;
      const int why = SSL_get_error(ssl_, n);
      if (why == SSL_ERROR_WANT_READ) events = POLLIN;
      if (why == SSL_ERROR_WANT_WRITE) events = POLLOUT;
      if (why == SSL_ERROR_ZERO_RETURN) return 0;
    }
    errno = events == 0 ? EPIPE : EAGAIN;
    pollfd ready{fd_, events, 0};
    if (events == 0 || !wait || ::poll(&ready, 1, 10'000) <= 0) return -1;
  }
}

ssize_t Wire::send(const char* bytes, std::size_t size, int flags) {
  if (ssl_ == nullptr) return ::send(fd_, bytes, size, flags);
  return repeat([&] { return SSL_write(ssl_, bytes, static_cast<int>(size)); },
                (flags & MSG_DONTWAIT) == 0);
}

ssize_t Wire::receive(char* room, std::size_t size) {
  if (ssl_ == nullptr) return ::recv(fd_, room, size, 0);
  return repeat([&] { return SSL_read(ssl_, room, static_cast<int>(size)); }, true);
}

bool Wire::holds() const {
  const std::lock_guard lock(mutex_);
  return ssl_ != nullptr && SSL_pending(ssl_) > 0;
}

void Wire::close_sending() {
  if (ssl_ != nullptr) {
    const std::lock_guard lock(mutex_);
    SSL_shutdown(ssl_);
  }
  ::shutdown(fd_, SHUT_WR);
}

std::string Wire::server_name() const {
  if (ssl_ == nullptr) return "";
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return "";
  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return name;
}

}  // namespace host::webtest
