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
      "X-Content-Type-Options: nosniff\r\nContent-Length: 4\r\n\r\nmade");
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

TEST_CASE("a handler may set the sniffing header itself") {
  const HttpResponse response{
      .status = 200, .headers = {{"X-Content-Type-Options", "none"}}, .body = {}};
  CHECK(written(response, {}).find("nosniff") == std::string::npos);
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
