#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "host/core/http.h"

namespace host::web {

struct ParserLimits {
  std::size_t header_bytes = 8192;  // request line and headers; also a chunk's line, the trailers
  std::size_t headers = 100;
};

/// Reads one request after the other from bytes, strictly: what two servers might read differently
/// is refused, so that no request can hide inside another. Beast's parser does the grammar; this
/// class adds what Beast leaves to its user: a limit of the whole head, no folded headers, no bare
/// line feeds, exactly one Host, Transfer-Encoding only as exactly "chunked" on HTTP/1.1, one
/// Content-Length, trailers that never become headers, a decoded target.
/// Only on its lane.
class RequestParser {
 public:
  enum class State {
    need_more,  // give the unused bytes again, with more behind them
    head,       // the head is complete: call set_max_body(), then go on
    done,       // take the request, then reset()
    failed,     // answer failure() and close
  };
  struct Failure {
    int status = 400;
    std::string detail;
  };

  explicit RequestParser(ParserLimits limits);
  ~RequestParser();

  /// Reads at most `size` bytes and says in `used` how many are dealt with.
  State put(const char* data, std::size_t size, std::size_t& used);
  /// In state `head`: how long the body may be. The new state: need_more, done, or failed (413).
  State set_max_body(std::size_t bytes);
  /// For the next request of the connection.
  void reset();

  /// Bytes of a request have been seen.
  bool started() const;
  HttpRequest& request();  // complete in state done; without body from state head on
  bool http10() const;
  bool keep_alive() const;
  bool expects_continue() const;
  const Failure& failure() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace host::web
