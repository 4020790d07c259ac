#pragma once

#include <memory>
#include <string_view>

#include "host/base/unique_function.h"
#include "host/core/http.h"

namespace host::ports {

/// A chunked body that is being written. Dropping it without finish() breaks the connection, so
/// that the client sees that it is not whole. On its lane only.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  /// Sends `bytes` as they are. `done(true)` when the client can take more, `done(false)` when it
  /// is gone; one write at a time.
  virtual void write(std::string bytes, UniqueFunction<void(bool alive)> done) = 0;
  /// Called when the client went away or the server stops. Set once.
  virtual void on_close(UniqueFunction<void()> callback) = 0;
  virtual void finish() = 0;
};

/// How one request is answered: once, by respond() or by stream(). Dropping it unanswered
/// answers 500. On its lane only.
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;
  virtual void respond(HttpResponse response) = 0;
  /// What the end of a body means: of `events` it may come at any time, so a server that stops ends
  /// them in good order; `whole` is worth something only when all of it came.
  enum class Body { events, whole };
  /// Sends the head (its body is ignored) and gives the stream of the chunked body.
  virtual std::shared_ptr<HttpStream> stream(HttpResponse head, Body body) = 0;
  /// Whether the client is still there, to spare work for nobody.
  virtual bool alive() const = 0;
};

/// Who answers requests. The server calls both on the lane that accepted the connection.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// How many bytes of body the request with this head may have; more is answered 413.
  virtual std::size_t max_body(const HttpRequest& head) = 0;
  virtual void handle(HttpRequest request, std::unique_ptr<HttpResponder> responder) = 0;
};

}  // namespace host::ports
