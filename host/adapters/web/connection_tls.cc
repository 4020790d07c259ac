// What differs for a connection with TLS: where its bytes come from and how they leave.
#include <cstring>

#include "host/adapters/web/connection.h"

namespace host::web {

void Connection::on_wire_bytes(std::size_t n) {
  const auto keep = shared_from_this();
  std::string& text = core_->text;
  text.clear();
  const auto state = tls_->receive({core_->wire.data(), n}, text);
  if (state == TlsSession::State::plain) {
    tls_.reset();  // what is said now it can read
    return fail(400, "this address speaks TLS: ask for https://");
  }
  if (!text.empty()) {
    std::memcpy(in_.prepare(text.size()), text.data(), text.size());
    in_.commit(text.size());
  }
  process();
  if (closed_) return;
  if (state == TlsSession::State::broken) return abort();
  if (state == TlsSession::State::ended) on_eof();
}

/// The bytes that the socket is to take next.
std::string_view Connection::outgoing() {
  const std::string_view waiting = std::string_view(out_).substr(sent_);
  if (!tls_) return waiting;
  if (tls_->wire().empty()) sent_ += tls_->send(waiting);
  return tls_->wire();
}

void Connection::sent(std::size_t n) {
  if (tls_) {
    tls_->consume(n);
  } else {
    sent_ += n;
  }
}

}  // namespace host::web
