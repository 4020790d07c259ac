#include "host/adapters/web/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "host/base/check.h"

namespace host::web {
namespace {

constexpr std::size_t kRecord = 16 * 1024;  // plain bytes of the largest TLS record
constexpr char kHandshake = 0x16;           // the first byte of every client that speaks TLS

SSL* make_session(SSL_CTX* context) {
  SSL* ssl = SSL_new(context);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  HOST_CHECK(ssl != nullptr && in != nullptr && out != nullptr, "OpenSSL makes sessions");
  SSL_set_bio(ssl, in, out);
  SSL_set_accept_state(ssl);
  return ssl;
}

}  // namespace

TlsSession::TlsSession(std::shared_ptr<const TlsCredentials> credentials)
    : credentials_(std::move(credentials)), ssl_(make_session(credentials_->context())) {}

TlsSession::~TlsSession() { SSL_free(ssl_); }

TlsSession::State TlsSession::receive(std::string_view bytes, std::string& text) {
  if (broken_) return State::broken;
  if (!begun_ && !bytes.empty() && bytes.front() != kHandshake) return State::plain;
  begun_ = begun_ || !bytes.empty();
  ERR_clear_error();
  const int taken = BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
  HOST_CHECK(taken == static_cast<int>(bytes.size()), "a memory BIO takes what it is given");
  State state = State::open;
  if (!ready_) {
    const int done = SSL_do_handshake(ssl_);
    ready_ = done == 1;
    if (!ready_) state = state_of(done);
  }
  while (ready_ && state == State::open) {
    const std::size_t before = text.size();
    text.resize(before + kRecord);
    const int n = SSL_read(ssl_, text.data() + before, static_cast<int>(kRecord));
    text.resize(before + static_cast<std::size_t>(std::max(n, 0)));
    if (n > 0) continue;
    state = state_of(n);
    break;
  }
  collect();
  return state;
}

/// Of a call that did not succeed; waiting for more bytes is no failure.
TlsSession::State TlsSession::state_of(int result) {
  const int why = SSL_get_error(ssl_, result);
  ERR_clear_error();
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return State::open;
  if (why == SSL_ERROR_ZERO_RETURN) return State::ended;
  broken_ = true;
  return State::broken;
}

std::size_t TlsSession::send(std::string_view bytes) {
  if (!ready_ || broken_ || closed_ || bytes.empty()) return 0;
  ERR_clear_error();
  const auto wanted = static_cast<int>(std::min(bytes.size(), kRecord));
  const int n = SSL_write(ssl_, bytes.data(), wanted);
  if (n <= 0) (void)state_of(n);
  collect();
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

bool TlsSession::close() {
  if (closed_ || broken_ || !ready_) return false;
  closed_ = true;
  ERR_clear_error();
  if (SSL_shutdown(ssl_) < 0) ERR_clear_error();
  collect();
  return true;
}

void TlsSession::collect() {
  BIO* out = SSL_get_wbio(ssl_);
  const std::size_t pending = BIO_ctrl_pending(out);
  if (pending == 0) return;
  const std::size_t before = wire_.size();
  wire_.resize(before + pending);
  const int n = BIO_read(out, wire_.data() + before, static_cast<int>(pending));
  wire_.resize(before + static_cast<std::size_t>(std::max(n, 0)));
}

void TlsSession::consume(std::size_t n) {
  wire_sent_ += n;
  if (wire_sent_ < wire_.size()) return;
  wire_sent_ = 0;
  wire_.clear();
}

}  // namespace host::web
