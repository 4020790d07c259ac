#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "host/adapters/web/tls.h"

struct ssl_st;

namespace host::web {

/// The TLS of one connection, between the bytes of the wire and those of HTTP. It touches no
/// socket: the connection hands it what came and sends what it leaves in wire(), so that deadlines,
/// limits and back-pressure are the same as without TLS. Only on its lane.
class TlsSession {
 public:
  enum class State {
    open,    // the handshake or the connection goes on
    ended,   // the client closed its half in good order
    broken,  // wire() may hold an alert; then the connection is to be dropped
    plain,   // the client speaks HTTP without TLS; nothing was taken
  };

  explicit TlsSession(std::shared_ptr<const TlsCredentials> credentials);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// Takes all of `bytes` from the wire and appends to `text` what they said.
  State receive(std::string_view bytes, std::string& text);
  /// Whether the handshake is done, so that send() takes bytes.
  bool ready() const { return ready_; }
  /// Encrypts bytes of HTTP into wire(), and says how many: at most one record of 16 KB, none
  /// before ready() and none after broken.
  std::size_t send(std::string_view bytes);
  /// Puts the end of our half into wire(). True the first time, when it did.
  bool close();

  /// Bytes for the socket; who sends some consumes them.
  std::string_view wire() const { return std::string_view(wire_).substr(wire_sent_); }
  void consume(std::size_t n);

 private:
  State state_of(int result);
  void collect();

  const std::shared_ptr<const TlsCredentials> credentials_;  // of this connection, also renewed
  ssl_st* const ssl_;
  std::string wire_;
  std::size_t wire_sent_ = 0;
  bool ready_ = false;
  bool begun_ = false;
  bool closed_ = false;
  bool broken_ = false;
};

}  // namespace host::web
