#include "host/runtime/routes.h"

#include <catch2/catch.hpp>

namespace host::runtime {
namespace {

Manifest plugin(const std::string& name, std::vector<std::pair<std::string, std::string>> routes) {
  Manifest manifest;
  manifest.name = name;
  for (auto& [method, pattern] : routes) {
    Manifest::Route route;
    route.method = method;
    route.pattern = pattern;
    manifest.routes.push_back(std::move(route));
  }
  return manifest;
}

}  // namespace

TEST_CASE("literal segments win over parameters, and those over the rest", "[routes]") {
  const Manifest m = plugin("p", {{"GET", "/a/*"}, {"GET", "/a/:id"}, {"GET", "/a/b"}});
  const auto routes = *Routes::make({&m});
  REQUIRE(routes->match("GET", "/a/b").name == "GET /a/b");
  const auto one = routes->match("GET", "/a/7");
  REQUIRE(one.name == "GET /a/:id");
  REQUIRE(one.parameters == Routes::Parameters{{"id", "7"}});
  const auto rest = routes->match("GET", "/a/7/x/y");
  REQUIRE(rest.name == "GET /a/*");
  REQUIRE(rest.parameters == Routes::Parameters{{"*", "7/x/y"}});
}

TEST_CASE("an exact method wins over any, and HEAD is answered by GET", "[routes]") {
  const Manifest m = plugin("p", {{"*", "/a"}, {"GET", "/a"}, {"GET", "/b"}});
  const auto routes = *Routes::make({&m});
  REQUIRE(routes->match("GET", "/a").name == "GET /a");
  REQUIRE(routes->match("PUT", "/a").name == "* /a");
  REQUIRE(routes->match("HEAD", "/b").name == "GET /b");
}

TEST_CASE("a path without the method names the methods that it has", "[routes]") {
  const Manifest m = plugin("p", {{"GET", "/a"}, {"POST", "/a"}});
  const auto routes = *Routes::make({&m});
  const auto match = routes->match("PUT", "/a");
  REQUIRE(match.plugin.empty());
  REQUIRE(match.allow == "GET, POST");
  REQUIRE(routes->match("GET", "/b").allow.empty());
}

TEST_CASE("a parameter is never empty", "[routes]") {
  const Manifest m = plugin("p", {{"GET", "/a/:id"}});
  const auto routes = *Routes::make({&m});
  REQUIRE(routes->match("GET", "/a/").plugin.empty());
  REQUIRE(routes->match("GET", "/a").plugin.empty());
}

TEST_CASE("equal routes of two plugins are refused, with both names", "[routes]") {
  const Manifest a = plugin("a", {{"GET", "/x/:id"}});
  const Manifest b = plugin("b", {{"GET", "/x/:other"}});
  const auto made = Routes::make({&a, &b});
  REQUIRE_FALSE(made.ok());
  REQUIRE(made.error().message.find(" of a") != std::string::npos);
  REQUIRE(made.error().message.find(" of b") != std::string::npos);
}

}  // namespace host::runtime
