// The document as a whole; host/script makes the operations.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "host/app/api_docs.h"

namespace host::app {
namespace {

using nlohmann::json;

constexpr const char* kAnyMethod[] = {"get", "put", "post", "delete", "patch"};

struct Refusal {
  const char* status;
  const char* description;
};
constexpr Refusal kRefusals[] = {
    {"400", "the body is malformed"},
    {"401", "a token is needed, or this one is not valid"},
    {"403", "the token does not allow it"},
    {"413", "the body is larger than the route takes"},
    {"415", "the route takes no body of this media type"},
    {"422", "the request does not fit; `errors` names every field"},
    {"429", "too many requests: again after `Retry-After`"},
    {"4XX", "refused; `detail` says why"},
    {"500", "the handler failed; the host's log says why"},
    {"503", "not now: try again after `Retry-After`"},
    {"504", "what the handler waited for did not come in time"},
};

json problem_schema() {
  const json text = {{"type", "string"}};
  return {{"type", "object"},
          {"description", "RFC 9457"},
          {"properties",
           {{"title", text},
            {"status", {{"type", "integer"}}},
            {"detail", text},
            {"errors",
             {{"type", "array"},
              {"items",
               {{"type", "object"},
                {"properties",
                 {{"at", {{"type", "string"}, {"examples", json::array({"body.amount"})}}},
                  {"message", text}}}}}}}}},
          {"required", json::array({"title", "status"})}};
}

json components() {
  json responses = json::object();
  for (const auto& [status, description] : kRefusals) {
    responses[status] = {
        {"description", description},
        {"content",
         {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
  }
  return {{"schemas", {{"Problem", problem_schema()}}},
          {"responses", std::move(responses)},
          {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}};
}

/// "/walls/:id/*" with the names of its parameters in order.
struct Template {
  std::string shape;  // without the names
  std::vector<std::string> names;
};

Template read_template(const std::string& pattern) {
  Template out;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t end = std::min(pattern.find('/', at + 1), pattern.size());
    const std::string segment = pattern.substr(at + 1, end - at - 1);
    const bool named = segment == "*" || segment.starts_with(":");
    if (named) out.names.push_back(segment == "*" ? "*" : segment.substr(1));
    out.shape += segment == "*" ? "/*" : named ? "/:" : "/" + segment;
    at = end;
  }
  return out;
}

/// The header by which a client may repeat a request, where the method and the route have it.
void add_idempotency_key(const Manifest::Route& route, std::string_view method, json& operation) {
  if (route.stream || route.files || method == "get" || method == "head" || method == "options") {
    return;
  }
  operation["parameters"].push_back(
      {{"name", "Idempotency-Key"},
       {"in", "header"},
       {"description",
        "Chosen by the client, new for each request. A repeat with it is not done again: for a day "
        "it gets the first answer, with Idempotency-Replayed: true."},
       {"schema",
        {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"pattern", "^[!-~]+$"}}}});
}

/// Paths that differ in the names of their parameters alone are one path of the document: the
/// first one's names count.
class Paths {
 public:
  void add(const Manifest& plugin, const Manifest::Route& route) {
    const Template read = read_template(route.pattern);
    const std::vector<std::string>& names =
        names_.try_emplace(read.shape, shown(read.names)).first->second;
    json operation = json::parse(route.operation, nullptr, false);
    if (operation.is_discarded()) return;  // made without a script: tests
    rename(operation, read.names, names);
    operation["tags"] = json::array({plugin.name});
    json& path = out_[key(route.pattern, names)];
    if (route.method != "*") {
      std::string method = route.method;
      for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      add_idempotency_key(route, method, operation);
      path[method] = std::move(operation);
      return;
    }
    const std::string id = operation.value("operationId", "");
    for (const char* method : kAnyMethod) {
      if (path.contains(method)) continue;  // an exact method wins
      json one = operation;
      one["operationId"] = id + "_" + method;
      add_idempotency_key(route, method, one);
      path[method] = std::move(one);
    }
  }
  json take() { return std::move(out_); }

 private:
  static std::vector<std::string> shown(std::vector<std::string> names) {
    for (std::string& name : names) {
      if (name != "*") continue;
      name = "rest";
      while (std::count(names.begin(), names.end(), name) > 1) name += "_";
    }
    return names;
  }
  static std::string key(const std::string& pattern, const std::vector<std::string>& names) {
    std::string out;
    std::size_t next = 0;
    for (std::size_t at = 0; at < pattern.size();) {
      const std::size_t end = std::min(pattern.find('/', at + 1), pattern.size());
      const std::string segment = pattern.substr(at + 1, end - at - 1);
      const bool named = segment == "*" || segment.starts_with(":");
      out += "/" + (named ? "{" + names[next++] + "}" : segment);
      at = end;
    }
    return out;
  }
  static void rename(json& operation, const std::vector<std::string>& from,
                     const std::vector<std::string>& to) {
    if (!operation.contains("parameters")) return;
    for (json& parameter : operation["parameters"]) {
      if (parameter["in"] != "path") continue;
      const auto found = std::find(from.begin(), from.end(), parameter["name"].get<std::string>());
      if (found != from.end()) {
        parameter["name"] = to[static_cast<std::size_t>(found - from.begin())];
      }
    }
  }

  std::map<std::string, std::vector<std::string>> names_;  // by shape
  json out_ = json::object();
};

/// Exact methods before "*", whichever plugin comes first.
json paths_of(const std::vector<const Manifest*>& plugins) {
  Paths paths;
  for (const bool any : {false, true}) {
    for (const Manifest* plugin : plugins) {
      for (const Manifest::Route& route : plugin->routes) {
        if ((route.method == "*") == any) paths.add(*plugin, route);
      }
    }
  }
  return paths.take();
}

json tags_of(const std::vector<const Manifest*>& plugins) {
  json out = json::array();
  for (const Manifest* plugin : plugins) {
    if (plugin->routes.empty()) continue;
    out.push_back({{"name", plugin->name}, {"x-revision", plugin->revision}});
    if (!plugin->doc.empty()) out.back()["description"] = plugin->doc;
  }
  return out;
}

std::string version_of(const std::vector<const Manifest*>& plugins) {
  std::string out;
  for (const Manifest* plugin : plugins) out += (out.empty() ? "" : "-") + plugin->revision;
  return out.empty() ? "none" : out;
}

}  // namespace

std::string openapi_document(const std::vector<const Manifest*>& plugins,
                             const std::string& server) {
  const bool one = plugins.size() == 1;
  json document = {
      {"openapi", "3.1.0"},
      {"info", {{"title", one ? plugins.front()->name : "host"}, {"version", version_of(plugins)}}},
      {"tags", tags_of(plugins)},
      {"paths", paths_of(plugins)},
      {"components", components()}};
  if (one && !plugins.front()->doc.empty()) {
    document["info"]["description"] = plugins.front()->doc;
  }
  if (!server.empty()) document["servers"] = json::array({{{"url", server}}});
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace host::app
