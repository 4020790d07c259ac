#include "host/script/openapi_operation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace host::script {
namespace {

using nlohmann::json;
using Kind = Schema::Kind;

std::string identifier(const std::string& plugin, const Manifest::Route& route) {
  std::string id = plugin + "_";
  for (const char c : route.method) id += c == '*' ? 'x' : static_cast<char>(std::tolower(c));
  for (const char c : route.pattern) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    id += plain ? c : c == '*' ? 'x' : '_';
  }
  return id;
}

/// A value that is written as text in a path, the query or a header.
json parameter(const Schema::Field& field, const char* in) {
  const Schema& schema = *field.schema;
  json out = {{"name", field.name}, {"in", in}};
  json shape = schema.json_schema();
  if (shape.contains("description")) {
    out["description"] = shape["description"];
    shape.erase("description");
  }
  const bool path = std::string_view(in) == "path";
  if (path && field.name == "*") {
    out["description"] = out.value("description", "the rest of the path, which may have slashes");
    out["x-rest"] = true;
  } else if (path && schema.kind() == Kind::string && !shape.contains("minLength")) {
    shape["minLength"] = 1;
  }
  if (path || (!schema.optional() && !schema.fills_in())) out["required"] = true;
  const bool as_json =
      schema.kind() == Kind::map || schema.kind() == Kind::record || schema.kind() == Kind::tagged;
  if (as_json) {
    out["content"] = {{"application/json", {{"schema", shape}}}};
  } else {
    out["schema"] = shape;
  }
  return out;
}

void put_parameters(const Manifest::Route& route, const SchemaPtr& record, const char* in,
                    json& out) {
  if (!record) return;
  for (const Schema::Field& field : record->fields()) {
    // A parameter that the path does not have is filled in, and no client gives it.
    const bool path = std::string_view(in) == "path";
    const std::string segment = field.name == "*" ? "/*" : "/:" + field.name;
    const std::size_t at = (route.pattern + "/").find(segment + "/");
    if (path && at == std::string::npos) continue;
    out.push_back(parameter(field, in));
  }
}

json request_body(const PluginTable::Route& row) {
  json out = {{"content", json::object()}};
  bool required = true;  // whatever its media type is
  for (const auto& [type, schema] : row.body) {
    out["content"][type] = json::object();
    if (!schema) {
      required = false;
      continue;
    }
    out["content"][type]["schema"] = schema->json_schema();
    if (schema->kind() == Kind::lines) {
      out["description"] = "each line is a value of its own";
      out["content"][type]["x-max-lines"] = static_cast<std::int64_t>(*schema->parts().max);
    }
    const bool lines = schema->kind() == Kind::lines;  // none are lines, too
    required = required && !lines && !schema->optional() && !schema->fills_in();
  }
  if (required) out["required"] = true;
  return out;
}

json success(const Manifest::Route& route, const PluginTable::Route& row) {
  if (route.stream) {
    return {{"description", "events, as they come; resumes by Last-Event-ID"},
            {"content", {{"text/event-stream", {{"schema", {{"type", "string"}}}}}}}};
  }
  if (route.files) {
    return {{"description", "a file"}, {"content", {{"*/*", json::object()}}}};
  }
  json out = {{"description", "what the handler answers"}};
  if (row.returns && row.returns->kind() == Kind::lines) {
    out["description"] = "values, each on a line of its own";
    out["content"]["application/x-ndjson"]["schema"] = row.returns->json_schema();
  } else if (row.returns) {
    out["content"]["application/json"]["schema"] = row.returns->json_schema();
  } else {
    out["content"]["*/*"] = json::object();
  }
  return out;
}

json responses(const Manifest::Route& route, const PluginTable::Route& row) {
  json out = {{route.stream || route.files ? "200" : "2XX", success(route, row)}};
  if (route.files || route.cache) out["304"] = {{"description", "what the client has is good"}};
  const auto problem = [&out](const std::string& status) {
    out[status] = {{"$ref", "#/components/responses/" + status}};
  };
  const auto checked = [](const SchemaPtr& record) { return record && !record->fields().empty(); };
  if (!row.body.empty()) {
    for (const char* status : {"400", "413", "415"}) problem(status);
  }
  if (!row.body.empty() || checked(row.params) || checked(row.query) || checked(row.headers)) {
    problem("422");
  }
  if (!route.auth_none) {
    problem("401");
    problem("403");
  }
  if (route.limit) problem("429");
  for (const char* status : {"4XX", "500", "503"}) problem(status);
  if (row.handle != kNoRef) problem("504");
  return out;
}

/// Any one of the roles will do.
json security(const Manifest::Route& route) {
  json out = json::array();
  for (const std::string& role : route.roles) {
    out.push_back({{"bearer", json::array({role})}});
  }
  return out;
}

}  // namespace

std::string openapi_operation(const std::string& plugin, const Manifest::Route& route,
                              const PluginTable::Route& row) {
  json out = {{"operationId", identifier(plugin, route)},
              {"tags", json::array({plugin})},
              {"responses", responses(route, row)},
              {"security", security(route)}};
  if (!route.doc.empty()) out["summary"] = route.doc;
  if (!route.own_param.empty()) {
    out["x-own"] = route.own_param;
    out["description"] = "The subject of the token must be the parameter `" + route.own_param +
                         "`, unless it has another of the roles.";
  }
  json parameters = json::array();
  put_parameters(route, row.params, "path", parameters);
  put_parameters(route, row.query, "query", parameters);
  put_parameters(route, row.headers, "header", parameters);
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  if (!row.body.empty()) {
    out["requestBody"] = request_body(row);
    out["x-max-body-bytes"] = route.max_body;
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);  // docs may be no UTF-8
}

}  // namespace host::script
