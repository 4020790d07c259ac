#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "host/app/api_docs.h"

namespace host::app {
namespace {

using nlohmann::json;

Manifest plugin(const std::string& name,
                const std::vector<std::pair<std::string, std::string>>& routes) {
  Manifest out;
  out.name = name;
  out.revision = name + "1";
  for (const auto& [method, pattern] : routes) {
    Manifest::Route route;
    route.method = method;
    route.pattern = pattern;
    json operation = {{"operationId", name + method + pattern}, {"parameters", json::array()}};
    const std::size_t at = pattern.find(':');
    if (at != std::string::npos) {
      const std::string parameter = pattern.substr(at + 1, pattern.find('/', at) - at - 1);
      operation["parameters"].push_back({{"name", parameter}, {"in", "path"}});
    }
    if (pattern.ends_with("*")) operation["parameters"].push_back({{"name", "*"}, {"in", "path"}});
    route.operation = operation.dump();
    out.routes.push_back(std::move(route));
  }
  return out;
}

HttpRequest get(const std::string& path, Headers headers = {}) {
  HttpRequest request;
  request.method = "GET";
  request.path = path;
  request.headers = std::move(headers);
  return request;
}

}  // namespace

TEST_CASE("the document has the routes of all plugins by path and method") {
  const Manifest a = plugin("a", {{"GET", "/walls/:id"}, {"POST", "/walls"}});
  const Manifest b = plugin("b", {{"GET", "/towers"}});
  const json found = json::parse(openapi_document({&a, &b}));
  CHECK(found["openapi"] == "3.1.0");
  CHECK(found["info"]["version"] == "a1-b1");
  CHECK(found["paths"].size() == 3);
  CHECK(found["paths"]["/walls/{id}"]["get"]["tags"] == json::array({"a"}));
  CHECK(found["paths"]["/towers"]["get"]["tags"] == json::array({"b"}));
  CHECK_FALSE(found.contains("servers"));
  CHECK(found["components"]["responses"]["422"]["content"].contains("application/problem+json"));
}

TEST_CASE("paths that differ in the names of parameters alone are one path") {
  const Manifest a = plugin("a", {{"GET", "/walls/:id/x"}});
  const Manifest b = plugin("b", {{"POST", "/walls/:wall/x"}});
  const json paths = json::parse(openapi_document({&a, &b}))["paths"];
  REQUIRE(paths.size() == 1);
  CHECK(paths["/walls/{id}/x"]["post"]["parameters"][0]["name"] == "id");
}

TEST_CASE("the rest of a path is a parameter with a name of its own") {
  const Manifest a = plugin("a", {{"GET", "/files/*"}});
  const Manifest b = plugin("b", {{"GET", "/:rest/files/*"}});
  const json paths = json::parse(openapi_document({&a, &b}))["paths"];
  CHECK(paths["/files/{rest}"]["get"]["parameters"][0]["name"] == "rest");
  CHECK(paths.contains("/{rest}/files/{rest_}"));
}

TEST_CASE("a route of any method is there for those that no other route has") {
  const Manifest a = plugin("a", {{"*", "/x"}});
  const Manifest b = plugin("b", {{"POST", "/x"}});
  const json path = json::parse(openapi_document({&a, &b}))["paths"]["/x"];
  CHECK(path["post"]["tags"] == json::array({"b"}));
  CHECK(path["get"]["tags"] == json::array({"a"}));
  CHECK(path["get"]["operationId"] != path["put"]["operationId"]);
}

TEST_CASE("the document is answered with an ETag, and anew when another revision is live") {
  ApiDocs docs;
  CHECK(docs.answer(get("/openapi.json"), true)->status == 503);
  CHECK_FALSE(docs.answer(get("/walls"), true));
  Manifest a = plugin("a", {{"GET", "/walls"}});
  docs.publish({&a});
  const HttpResponse first = *docs.answer(get("/openapi.json"), true);
  CHECK(first.status == 200);
  const std::string etag = *find_header(first.headers, "etag");
  const HttpResponse again = *docs.answer(get("/openapi.json", {{"if-none-match", etag}}), true);
  CHECK(again.status == 304);
  CHECK(again.body.empty());
  a.revision = "a2";
  docs.publish({&a});
  CHECK(docs.answer(get("/openapi.json", {{"if-none-match", etag}}), true)->status == 200);
}

TEST_CASE("a listener without the routes says where they are") {
  ApiDocs docs;
  const Manifest a = plugin("a", {{"GET", "/walls"}});
  docs.publish({&a});
  docs.set_server("http://127.0.0.1:8080");
  const json here = json::parse(docs.answer(get("/openapi.json"), true)->body);
  json there = json::parse(docs.answer(get("/openapi.json"), false)->body);
  CHECK(there["servers"][0]["url"] == "http://127.0.0.1:8080");
  there.erase("servers");
  CHECK(here == there);
}

TEST_CASE("the page and the document are only read") {
  const ApiDocs docs;
  HttpRequest request = get("/docs");
  CHECK(docs.answer(request, true)->status == 200);
  request.method = "POST";
  const HttpResponse refused = *docs.answer(request, true);
  CHECK(refused.status == 405);
  CHECK(*find_header(refused.headers, "allow") == "GET");
}

}  // namespace host::app
