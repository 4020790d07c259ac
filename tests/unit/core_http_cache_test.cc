#include <catch2/catch.hpp>

#include "host/core/http_cache.h"

namespace host {

TEST_CASE("an ETag is known by one of the list, weak or not, or by a star") {
  CHECK(names_etag("\"a\"", "\"a\""));
  CHECK(names_etag("\"b\", W/\"a\"", "\"a\""));
  CHECK(names_etag("*", "\"a\""));
  CHECK_FALSE(names_etag("\"ab\"", "\"a\""));
  CHECK_FALSE(names_etag("", "\"a\""));
}

TEST_CASE("an encoding is taken when it is named and not refused") {
  CHECK(takes_encoding("gzip, br", "br"));
  CHECK(takes_encoding("GZIP;q=0.5", "gzip"));
  CHECK(takes_encoding("*", "br"));
  CHECK_FALSE(takes_encoding("br;q=0", "br"));
  CHECK_FALSE(takes_encoding("br;q=0.000, *", "br"));
  CHECK_FALSE(takes_encoding("gzip", "br"));
  CHECK_FALSE(takes_encoding("", "br"));
}

TEST_CASE("equal bytes have equal tags, other bytes others") {
  CHECK(etag_of("a") == etag_of("a"));
  CHECK(etag_of("a") != etag_of("b"));
  CHECK(etag_of("").front() == '"');
}

TEST_CASE("a 200 that the client has becomes 304; other answers stay") {
  HttpRequest request;
  request.method = "GET";
  HttpResponse response = json_response(200, "[1]");
  answer_if_changed(request, response);
  const std::string etag = *find_header(response.headers, "etag");
  request.headers = {{"if-none-match", etag}};
  HttpResponse again = json_response(200, "[1]");
  answer_if_changed(request, again);
  CHECK(again.status == 304);
  CHECK(again.body.empty());
  CHECK(find_header(again.headers, "content-type") == nullptr);
  HttpResponse other = json_response(200, "[2]");
  answer_if_changed(request, other);
  CHECK(other.status == 200);
  HttpResponse missing = json_response(404, "[1]");
  answer_if_changed(request, missing);
  CHECK(missing.status == 404);
  request.method = "POST";
  HttpResponse posted = json_response(200, "[1]");
  answer_if_changed(request, posted);
  CHECK(posted.status == 200);
}

TEST_CASE("what may be kept is said for whom and how long") {
  CHECK(cache_control(300, true) == "public, max-age=300");
  CHECK(cache_control(300, false) == "private, max-age=300");
  CHECK(cache_control(0, true) == "no-cache");
}

}  // namespace host
