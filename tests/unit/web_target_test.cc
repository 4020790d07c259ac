#include <catch2/catch.hpp>

#include "host/adapters/web/target.h"

using host::web::parse_target;

TEST_CASE("a target is taken apart and decoded") {
  const auto target = parse_target("/caf%C3%A9/a%20b?x=1+2&y&z=%26%3D&x=&&");
  REQUIRE(target);
  CHECK(target->path == "/caf\xC3\xA9/a b");
  const std::vector<std::pair<std::string, std::string>> query{
      {"x", "1 2"}, {"y", ""}, {"z", "&="}, {"x", ""}};
  CHECK(target->query == query);
  CHECK(target->authority.empty());
}

TEST_CASE("an absolute target gives its authority") {
  const auto target = parse_target("HTTP://inn.example:81?q=1");
  REQUIRE(target);
  CHECK(target->authority == "inn.example:81");
  CHECK(target->path == "/");
  CHECK(target->query.size() == 1);
}

TEST_CASE("a plus is itself in the path") { CHECK(parse_target("/a+b")->path == "/a+b"); }

TEST_CASE("empty segments stay") { CHECK(parse_target("//a//")->path == "//a//"); }

TEST_CASE("a segment that only begins with dots is a name") {
  CHECK(parse_target("/...")->path == "/...");
  CHECK(parse_target("/..a/.b")->path == "/..a/.b");
}

TEST_CASE("a target that two parsers might read differently is refused") {
  const char* target = GENERATE(
      "", "a", "*", "/a%", "/a%4", "/a%zz", "/%00", "/a?b=%00", "/%ff", "/%c0%af", "/%ed%a0%80",
      "/%f4%90%80%80", "/a?b=%ff", "/..", "/a/../b", "/a/.", "/./a", "/a/%2e%2e/b", "/%2E",
      "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a#b", "https://a/", "http:///a", "a:80");
  CAPTURE(target);
  CHECK_FALSE(parse_target(target));
}
