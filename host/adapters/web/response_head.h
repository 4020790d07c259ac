#pragma once

#include <string>
#include <string_view>

#include "host/core/http.h"

namespace host::web {

/// How the bytes of one answer are framed; the server decides it, never the handler.
struct Framing {
  bool head_request = false;  // a HEAD: the head of the GET, without the body
  bool http10 = false;
  bool close = false;    // the connection ends after this answer
  bool chunked = false;  // a stream; on HTTP/1.0 its end is the end of the connection
};

/// Whether the answer can be put on the wire as it is: a status from 200 to 599, header names that
/// are tokens, header values without control characters. Null when it can, else the reason.
const char* refuse_response(const HttpResponse& response);

/// Appends status line and headers, with what the server owns: Date, Connection, Content-Length
/// or Transfer-Encoding (a handler's own are left out), and the headers that make browsers careful:
/// against guessed types and use by other sites, on HTML also against frames, foreign content and
/// referrers; a handler's own stand instead.
void append_head(std::string& out, const HttpResponse& response, const Framing& framing,
                 std::string_view date);
/// append_head() and the body, where the framing and the status have one.
void append_response(std::string& out, const HttpResponse& response, const Framing& framing,
                     std::string_view date);
void append_chunk(std::string& out, std::string_view bytes);

}  // namespace host::web
