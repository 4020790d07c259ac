#include <nlohmann/json.hpp>

#include "tests/unit/script_loader_fixture.h"

namespace host::test {

using nlohmann::json;

namespace {

/// The operation of the one route `name` that has these fields.
json operation(const std::string& name, const std::string& fields) {
  Plugin plugin("local spec = require 'host.spec' return { api = 1, name = 'p', routes = { ['" +
                name + "'] = { handle = function() end,\n" + fields + " } } }");
  return json::parse(plugin.loaded().manifest.routes.front().operation);
}

json statuses(const json& operation) {
  json out = json::array();
  for (const auto& [status, response] : operation["responses"].items()) out.push_back(status);
  return out;
}

}  // namespace

TEST_CASE("an operation has the parameters of path, query and headers") {
  const json found = operation("GET /walls/:id/*", R"(auth = 'none', doc = 'a wall',
    query = { limit = spec.limit(20, 100), filter = spec.map(spec.int) { optional = true } },
    headers = { ['x-mood'] = spec.one_of { 'good', 'bad' } { doc = 'of the asker' } })");
  CHECK(found["summary"] == "a wall");
  CHECK(found["operationId"] == "p_get_walls__id_x");
  CHECK(found["tags"] == json::array({"p"}));
  CHECK(found["parameters"] == json::parse(R"([
    {"name":"*","in":"path","required":true,"x-rest":true,
     "description":"the rest of the path, which may have slashes","schema":{"type":"string"}},
    {"name":"id","in":"path","required":true,"schema":{"type":"string","minLength":1}},
    {"name":"filter","in":"query","content":{"application/json":{"schema":
      {"type":"object","additionalProperties":{"type":"integer"}}}}},
    {"name":"limit","in":"query","description":"how many at most",
     "schema":{"type":"integer","minimum":1,"maximum":100,"default":20}},
    {"name":"x-mood","in":"header","required":true,"description":"of the asker",
     "schema":{"enum":["good","bad"]}}])"));
}

TEST_CASE("an operation has a schema for each media type of its body") {
  const json found = operation("POST /walls", R"(auth = 'none', max_body = 500,
    body = { ['text/plain'] = spec.string { min = 1 }, ['application/json'] = { n = 1 } })");
  CHECK(found["requestBody"] == json::parse(R"({"content":{
    "text/plain":{"schema":{"type":"string","minLength":1}},
    "application/json":{"schema":{"type":"object",
      "properties":{"n":{"type":"integer","default":1}}}}}})"));
  CHECK(found["x-max-body-bytes"] == 500);
  CHECK(operation("POST /walls",
                  "auth = 'none', body = { n = spec.int }")["requestBody"]["required"] == true);
}

TEST_CASE("an operation names the statuses that its route can have") {
  CHECK(statuses(operation("GET /a", "auth = 'none'")) ==
        json::array({"2XX", "4XX", "500", "503", "504"}));
  CHECK(statuses(operation("POST /a", "auth = 'admin', body = { n = 1 }")) ==
        json::array({"2XX", "400", "401", "403", "413", "415", "422", "4XX", "500", "503", "504"}));
  const json returned = operation("GET /a/:id", "auth = 'none', returns = { n = spec.int }");
  CHECK(returned["responses"]["2XX"]["content"]["application/json"]["schema"]["required"] ==
        json::array({"n"}));
  CHECK(returned["responses"]["422"]["$ref"] == "#/components/responses/422");
  const json stream = operation("GET /a", "auth = 'none', stream = { every = '1s' }");
  CHECK(stream["responses"]["200"]["content"].contains("text/event-stream"));
}

TEST_CASE("an operation says which roles may ask") {
  CHECK(operation("GET /a", "auth = 'none'")["security"] == json::array());
  const json own = operation("GET /a/:id", "auth = { 'player', 'admin', own = 'id' }");
  CHECK(own["security"] == json::parse(R"([{"bearer":["player"]},{"bearer":["admin"]}])"));
  CHECK(own["x-own"] == "id");
}

TEST_CASE("a doc that is no UTF-8 still makes a document") {
  const json found = operation("GET /a", "auth = 'none', doc = 'a\\255b'");
  CHECK(found["summary"] ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("a route on a path of the host's own is refused") {
  for (const char* path : {"/healthz", "/readyz", "/openapi.json", "/docs"}) {
    Plugin plugin("return { api = 1, name = 'p', routes = { ['GET " + std::string(path) +
                  "'] = { auth = 'none', handle = function() end } } }");
    const std::vector<std::string> found = plugin.refused();
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("is the host's own") != std::string::npos);
  }
}

}  // namespace host::test
