#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/core/message.h"

namespace host {

/// A request whose body has been read whole. Header names are lower case.
struct HttpRequest {
  std::string method;  // upper case
  std::string target;  // as sent
  std::string path;    // percent-decoded, without query, begins with "/"
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  Headers headers;
  std::string body;
  std::string address;  // of the client, without port
};

struct HttpResponse {
  int status = 200;
  Headers headers;  // content-type included; length, date, connection are the server's
  std::string body;
};

/// A problem document (RFC 9457): application/problem+json. `errors` is a JSON array or "".
HttpResponse problem(int status, std::string_view detail, std::string_view errors = {},
                     Headers headers = {});
/// The standard reason of a status: 404 -> "Not Found".
const char* reason_phrase(int status);
/// application/json.
HttpResponse json_response(int status, std::string body, Headers headers = {});
/// `text` as a JSON string, quotes included; invalid UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace host
