// What differs for a connection with TLS: where its bytes come from and how they leave.
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cstring>

#include "host/adapters/web/connection.h"

namespace host::web {
namespace asio = boost::asio;
using boost::system::error_code;

/// Bytes of the wire are read into one place of the lane when they are there, so that a client who
/// sends nothing costs no buffer for them.
void Connection::wait_for_wire() {
  socket_.async_wait(TcpSocket::wait_read,
                     [self = shared_from_this()](const error_code& ec) { self->on_wire(ec); });
}

void Connection::on_wire(const error_code& ec) {
  reading_ = false;
  if (closed_) return;
  if (ec == asio::error::operation_aborted) return resting() && core_->draining ? leave() : read();
  if (ec) return abort();
  error_code failed;
  const std::size_t n =
      socket_.read_some(asio::buffer(core_->wire.data(), core_->wire.size()), failed);
  if (failed == asio::error::would_block || failed == asio::error::try_again ||
      failed == asio::error::interrupted) {
    return read();
  }
  if (failed == asio::error::eof) return on_eof();
  if (failed) return abort();
  if (lingering_ || input_closed_) return read();
  on_wire_bytes(n);
}

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
