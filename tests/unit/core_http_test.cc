#include <catch2/catch.hpp>

#include "host/core/http.h"

namespace host {
namespace {

TEST_CASE("text is quoted as JSON") {
  CHECK(json_quote("") == "\"\"");
  CHECK(json_quote("a \"b\" \\ /") == "\"a \\\"b\\\" \\\\ /\"");
  CHECK(json_quote("\n\t\r\x01\x1F\x7F") == "\"\\n\\t\\r\\u0001\\u001f\x7F\"");
  CHECK(json_quote(std::string_view("\0", 1)) == "\"\\u0000\"");
  CHECK(json_quote("\xC3\xA9\xE2\x9C\xA8\xF0\x9F\xA6\x89") ==
        "\"\xC3\xA9\xE2\x9C\xA8\xF0\x9F\xA6\x89\"");
}

TEST_CASE("what is no UTF-8 becomes the replacement character, byte by byte") {
  CHECK(json_quote("a\xFFz") == "\"a\\ufffdz\"");
  CHECK(json_quote("\xC3") == "\"\\ufffd\"");
  CHECK(json_quote("\xC0\x80") == "\"\\ufffd\\ufffd\"");
  CHECK(json_quote("\xED\xA0\x80") == "\"\\ufffd\\ufffd\\ufffd\"");  // a surrogate
  CHECK(json_quote("\xE0\x80\x80") == "\"\\ufffd\\ufffd\\ufffd\"");  // overlong
  CHECK(json_quote("\xF4\x90\x80\x80") == "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

TEST_CASE("a problem document has title, status, detail and errors") {
  const HttpResponse response = problem(422, "the \"age\" is bad", R"([{"at":"age"}])");
  CHECK(response.status == 422);
  CHECK(
      response.body ==
      R"({"title":"Unprocessable Content","status":422,"detail":"the \"age\" is bad","errors":[{"at":"age"}]})");
  REQUIRE(find_header(response.headers, "content-type") != nullptr);
  CHECK(*find_header(response.headers, "content-type") == "application/problem+json");
}

TEST_CASE("a problem document leaves out what it does not have and keeps its headers") {
  const HttpResponse response = problem(429, "", "", {{"retry-after", "3"}});
  CHECK(response.body == R"({"title":"Too Many Requests","status":429})");
  REQUIRE(find_header(response.headers, "retry-after") != nullptr);
  CHECK(*find_header(response.headers, "retry-after") == "3");
}

TEST_CASE("a status without a known reason has a plain one") {
  CHECK(std::string(reason_phrase(404)) == "Not Found");
  CHECK(std::string(reason_phrase(299)) == "OK");
  CHECK(std::string(reason_phrase(599)) == "Error");
}

TEST_CASE("a JSON response says so") {
  const HttpResponse response = json_response(201, "{}", {{"location", "/x"}});
  CHECK(response.status == 201);
  CHECK(*find_header(response.headers, "content-type") == "application/json");
  CHECK(*find_header(response.headers, "location") == "/x");
}

}  // namespace
}  // namespace host
