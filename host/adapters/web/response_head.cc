#include "host/adapters/web/response_head.h"

#include <array>
#include <charconv>

#include "host/adapters/web/header_name.h"

namespace host::web {
namespace {

/// What an answer carries unless its handler says otherwise.
struct Default {
  std::string_view name;  // lower case
  std::string_view line;
  bool pages = false;  // on HTML alone: it means nothing to others
};
constexpr std::array kDefaults{
    Default{"x-content-type-options", "\r\nX-Content-Type-Options: nosniff"},
    Default{"cross-origin-resource-policy", "\r\nCross-Origin-Resource-Policy: same-origin"},
    Default{"referrer-policy", "\r\nReferrer-Policy: no-referrer", true},
    Default{"x-frame-options", "\r\nX-Frame-Options: DENY", true},
    Default{"content-security-policy",
            "\r\nContent-Security-Policy: default-src 'self'; base-uri 'self'; "
            "form-action 'self'; frame-ancestors 'none'; object-src 'none'",
            true},
};

bool is_page(std::string_view name, std::string_view value) {
  return is_header(name, "content-type") && is_header(value.substr(0, 9), "text/html");
}

/// Whether each byte may stand in a name: RFC 9110's tchar.
constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> is{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789")) {
    is[static_cast<unsigned char>(c)] = true;
  }
  for (unsigned char c = 'a'; c <= 'z'; ++c) is[c] = is[static_cast<unsigned char>(c - 32)] = true;
  return is;
}();

bool is_token(std::string_view name) {
  for (const char c : name) {
    if (!kTokenChars[static_cast<unsigned char>(c)]) return false;
  }
  return !name.empty();
}

constexpr std::array<bool, 256> kControlChars = [] {
  std::array<bool, 256> is{};
  for (std::size_t c = 0; c < 0x20; ++c) is[c] = c != '\t';
  is[0x7F] = true;
  return is;
}();

bool is_field_value(std::string_view value) {
  for (const char c : value) {
    if (kControlChars[static_cast<unsigned char>(c)]) return false;
  }
  return true;
}

bool owned_by_server(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kOwned{
      "content-length", "transfer-encoding", "connection", "date", "keep-alive", "trailer"};
  for (const std::string_view owned : kOwned) {
    if (is_header(name, owned)) return true;
  }
  return false;
}

bool has_no_body(int status) { return status == 204 || status == 304; }

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, base);
  out.append(digits, end.ptr);
}

}  // namespace

const char* refuse_response(const HttpResponse& response) {
  if (response.status < 200 || response.status > 599) return "a status outside 200 to 599";
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name)) return "a header name that is not a token";
    if (!is_field_value(value)) return "a header value with a control character";
  }
  return nullptr;
}

void append_head(std::string& out, const HttpResponse& response, const Framing& framing,
                 std::string_view date) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += date;
  std::array<bool, kDefaults.size()> said{};
  bool page = false;
  for (const auto& [name, value] : response.headers) {
    if (owned_by_server(name)) continue;
    page = page || is_page(name, value);
    for (std::size_t i = 0; i < kDefaults.size(); ++i) {
      said[i] = said[i] || is_header(name, kDefaults[i].name);
    }
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  for (std::size_t i = 0; i < kDefaults.size(); ++i) {
    if (!said[i] && (page || !kDefaults[i].pages)) out += kDefaults[i].line;
  }
  if (framing.chunked) {
    if (!framing.http10) out += "\r\nTransfer-Encoding: chunked";
  } else if (!has_no_body(response.status)) {
    out += "\r\nContent-Length: ";
    append_number(out, response.body.size());
  }
  if (framing.close) {
    out += "\r\nConnection: close";
  } else if (framing.http10) {
    out += "\r\nConnection: keep-alive";
  }
  out += "\r\n\r\n";
}

void append_response(std::string& out, const HttpResponse& response, const Framing& framing,
                     std::string_view date) {
  append_head(out, response, framing, date);
  if (!framing.head_request && !has_no_body(response.status)) out += response.body;
}

void append_chunk(std::string& out, std::string_view bytes) {
  append_number(out, bytes.size(), 16);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

}  // namespace host::web
