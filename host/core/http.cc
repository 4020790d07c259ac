#include "host/core/http.h"

#include <array>
#include <cstdio>

#include "host/base/utf8.h"

namespace host {
namespace {

struct Reason {
  int status;
  const char* phrase;
};
constexpr std::array kReasons{Reason{200, "OK"},
                              Reason{201, "Created"},
                              Reason{202, "Accepted"},
                              Reason{204, "No Content"},
                              Reason{301, "Moved Permanently"},
                              Reason{302, "Found"},
                              Reason{303, "See Other"},
                              Reason{304, "Not Modified"},
                              Reason{307, "Temporary Redirect"},
                              Reason{308, "Permanent Redirect"},
                              Reason{400, "Bad Request"},
                              Reason{401, "Unauthorized"},
                              Reason{403, "Forbidden"},
                              Reason{404, "Not Found"},
                              Reason{405, "Method Not Allowed"},
                              Reason{408, "Request Timeout"},
                              Reason{409, "Conflict"},
                              Reason{410, "Gone"},
                              Reason{412, "Precondition Failed"},
                              Reason{413, "Content Too Large"},
                              Reason{415, "Unsupported Media Type"},
                              Reason{417, "Expectation Failed"},
                              Reason{421, "Misdirected Request"},
                              Reason{422, "Unprocessable Content"},
                              Reason{429, "Too Many Requests"},
                              Reason{431, "Request Header Fields Too Large"},
                              Reason{500, "Internal Server Error"},
                              Reason{501, "Not Implemented"},
                              Reason{502, "Bad Gateway"},
                              Reason{503, "Service Unavailable"},
                              Reason{504, "Gateway Timeout"},
                              Reason{505, "HTTP Version Not Supported"}};

}  // namespace

const char* reason_phrase(int status) {
  for (const Reason& known : kReasons) {
    if (known.status == status) return known.phrase;
  }
  return status < 400 ? "OK" : "Error";
}

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const char c = text[at];
    if (length == 0) {
      out += "\\ufffd";
      ++at;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : escape;
    } else {
      out.append(text.substr(at, length));
    }
    at += length;
  }
  return out + "\"";
}

HttpResponse json_response(int status, std::string body, Headers headers) {
  set_header(headers, "content-type", "application/json");
  return {.status = status, .headers = std::move(headers), .body = std::move(body)};
}

HttpResponse problem(int status, std::string_view detail, std::string_view errors,
                     Headers headers) {
  std::string body =
      "{\"title\":" + json_quote(reason_phrase(status)) + ",\"status\":" + std::to_string(status);
  if (!detail.empty()) body += ",\"detail\":" + json_quote(detail);
  if (!errors.empty()) body += ",\"errors\":" + std::string(errors);
  set_header(headers, "content-type", "application/problem+json");
  return {.status = status, .headers = std::move(headers), .body = body + "}"};
}

}  // namespace host
