#include <catch2/catch.hpp>

#include "host/adapters/web/response_head.h"

using namespace host;
using web::append_response;

namespace {
constexpr const char* kDate = "Sat, 21 Nov 2026 12:00:00 GMT";

std::string written(const HttpResponse& response, const web::Framing& framing) {
  std::string out;
  append_response(out, response, framing, kDate);
  return out;
}
}  // namespace

TEST_CASE("an answer carries status, date, length and the safe default header") {
  CHECK(
      written({.status = 201, .headers = {{"content-type", "text/plain"}}, .body = "made"}, {}) ==
      "HTTP/1.1 201 Created\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\ncontent-type: text/plain\r\n"
      "X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n"
      "Content-Length: 4\r\n\r\nmade");
}

TEST_CASE("what the server owns is left out of a handler's headers") {
  const HttpResponse response{
      .status = 200,
      .headers = {{"Content-Length", "99"}, {"transfer-encoding", "chunked"}, {"DATE", "x"}},
      .body = "ok"};
  const std::string out = written(response, {});
  CHECK(out.find("99") == std::string::npos);
  CHECK(out.find("chunked") == std::string::npos);
  CHECK(out.find("DATE") == std::string::npos);
}

TEST_CASE("a page is framed by nobody, loads nothing foreign and tells no referrer") {
  for (const char* type : {"text/html", "Text/HTML; charset=utf-8"}) {
    const std::string out =
        written({.status = 200, .headers = {{"Content-Type", type}}, .body = {}}, {});
    CHECK(out.find("\r\nX-Frame-Options: DENY\r\n") != std::string::npos);
    CHECK(out.find("\r\nReferrer-Policy: no-referrer\r\n") != std::string::npos);
    CHECK(out.find("\r\nContent-Security-Policy: default-src 'self';") != std::string::npos);
    CHECK(out.find("frame-ancestors 'none'") != std::string::npos);
  }
  const std::string json =
      written({.status = 200, .headers = {{"content-type", "application/json"}}, .body = {}}, {});
  CHECK(json.find("Content-Security-Policy") == std::string::npos);
}

TEST_CASE("a handler's own header stands instead of the default") {
  const HttpResponse response{.status = 200,
                              .headers = {{"content-type", "text/html"},
                                          {"X-Content-Type-Options", "none"},
                                          {"cross-origin-resource-policy", "cross-origin"},
                                          {"X-FRAME-OPTIONS", "SAMEORIGIN"},
                                          {"referrer-policy", "origin"},
                                          {"content-security-policy", "default-src *"}},
                              .body = {}};
  const std::string out = written(response, {});
  for (const char* part : {"nosniff", "same-origin", "DENY", "no-referrer", "'self'"}) {
    CHECK(out.find(part) == std::string::npos);
  }
}

TEST_CASE("no body follows a HEAD, a 204 or a 304") {
  const HttpResponse ok{.status = 200, .headers = {}, .body = "12345"};
  const std::string head = written(ok, {.head_request = true});
  CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  for (const int status : {204, 304}) {
    const std::string out = written({.status = status, .headers = {}, .body = "12345"}, {});
    CHECK(out.find("Content-Length") == std::string::npos);
    CHECK(out.ends_with("\r\n\r\n"));
  }
}

TEST_CASE("the connection's fate is said where it is not the version's default") {
  const HttpResponse ok{.status = 200, .headers = {}, .body = {}};
  CHECK(written(ok, {}).find("Connection") == std::string::npos);
  CHECK(written(ok, {.close = true}).find("Connection: close") != std::string::npos);
  CHECK(written(ok, {.http10 = true}).find("Connection: keep-alive") != std::string::npos);
}

TEST_CASE("a chunk has its length in hexadecimal") {
  std::string out;
  web::append_chunk(out, std::string(26, 'x'));
  CHECK(out == "1a\r\n" + std::string(26, 'x') + "\r\n");
}

TEST_CASE("an answer that would split the response is refused") {
  CHECK(web::refuse_response({.status = 200, .headers = {{"a", "b"}}, .body = {}}) == nullptr);
  CHECK(
      web::refuse_response({.status = 200, .headers = {{"a", "b\r\nset-cookie: c"}}, .body = {}}));
  CHECK(
      web::refuse_response({.status = 200, .headers = {{"a", std::string("\0", 1)}}, .body = {}}));
  CHECK(web::refuse_response({.status = 200, .headers = {{"a b", "c"}}, .body = {}}));
  CHECK(web::refuse_response({.status = 200, .headers = {{"", "c"}}, .body = {}}));
  CHECK(web::refuse_response({.status = 101, .headers = {}, .body = {}}));
  CHECK(web::refuse_response({.status = 600, .headers = {}, .body = {}}));
}
