#include <algorithm>
#include <cmath>

#include "host/script/manifest_pattern.h"
#include "host/script/manifest_reader.h"
#include "host/script/openapi_operation.h"
#include "host/script/schema_check.h"

namespace host::script {
namespace {

/// What the host answers itself on every listener, before all routes.
constexpr std::string_view kOwnPaths[] = {"/healthz", "/readyz", "/openapi.json", "/docs"};
constexpr std::string_view kMethods[] = {"GET",    "POST", "PUT",     "PATCH",
                                         "DELETE", "HEAD", "OPTIONS", "*"};

constexpr const char* kLines = "application/x-ndjson";

}  // namespace

void ManifestReader::routes(int index) {
  if (!get(index, "routes")) return;
  const int table = lua_gettop(L_);
  if (need_table(table, {"routes"}, "a table: [\"GET /path\"] = { auth, handle }")) {
    for (const std::string& name : names(table, {"routes"})) {
      const Path at{"routes", name};
      get(table, name.c_str());
      if (need_table(lua_gettop(L_), at,
                     "a table: { auth = \"none\", handle = function(ctx, req) }")) {
        route(name, lua_gettop(L_), at);
      }
      lua_settop(L_, table);
    }
    same_routes();
  }
  lua_settop(L_, table - 1);
}

void ManifestReader::route(const std::string& name, int index, const Path& at) {
  only_fields(index, at,
              {"auth", "params", "query", "body", "headers", "returns", "limit", "cache", "timeout",
               "max_body", "doc", "handle", "stream", "files", "fallback", "proxy"});
  not_in_this_version(index, {"proxy"}, at);
  const std::size_t space = name.find(' ');
  Manifest::Route entry;
  entry.method = name.substr(0, space);
  entry.pattern = space == std::string::npos ? "" : name.substr(space + 1);
  const bool method =
      std::find(std::begin(kMethods), std::end(kMethods), entry.method) != std::end(kMethods);
  const RoutePattern pattern = read_pattern(entry.pattern);
  if (!method || entry.pattern.empty()) {
    problem(at, "is no route", "a method and a path: [\"GET /walls/:id\"]");
  } else if (!pattern.problem.empty()) {
    problem(at, "is no route: " + pattern.problem);
  } else if (std::find(std::begin(kOwnPaths), std::end(kOwnPaths), entry.pattern) !=
             std::end(kOwnPaths)) {
    problem(at, "would never be asked: " + entry.pattern + " is the host's own", "another path");
  }

  PluginTable::Route row;
  auth(index, entry, at);
  limit(index, entry, at);
  row.params = params(index, pattern.params, at);
  row.query = record(index, "query", at);
  row.headers = record(index, "headers", at);
  row.returns = schema(index, "returns", at);
  body(index, entry, row, at);
  stream(index, entry, row, at);
  if (!entry.own_param.empty() && std::find(pattern.params.begin(), pattern.params.end(),
                                            entry.own_param) == pattern.params.end()) {
    problem(at / "auth", "own names \"" + entry.own_param + "\", which the path does not have");
  }
  entry.doc = text(index, "doc", at).value_or("");
  entry.timeout = duration(index, "timeout", at).value_or(entry.timeout);
  if (get(index, "max_body")) {
    const double size = lua_type(L_, -1) == LUA_TNUMBER ? lua_tonumber(L_, -1) : 0;
    if (size >= 1 && size <= 100e6 && std::floor(size) == size) {
      entry.max_body = static_cast<std::size_t>(size);
    } else {
      problem(at / "max_body", "is no number of bytes from 1 to 100000000");
    }
    lua_pop(L_, 1);
  }
  row.handle = function(index, "handle", at);
  const bool needs_handle = !entry.stream || entry.stream->topic.empty();
  bool other = false;  // served by something that is not in this version
  for (const char* field : {"handle", "files", "proxy"}) {
    if (!get(index, field)) continue;
    lua_pop(L_, 1);
    other = true;
  }
  files(index, entry, at);
  cache(index, entry, at);
  if (entry.files && row.handle != kNoRef) {
    problem(at / "handle", "is not called: the route serves files");
  }
  if (needs_handle && !other) problem(at, "has no handle", "handle = function(ctx, req) ... end");
  if (!needs_handle && row.handle != kNoRef) {
    problem(at / "handle", "is not called: the route is a stream of a topic", "see stream.map");
  }
  entry.operation = openapi_operation(out_.manifest.name, entry, row);
  out_.manifest.routes.push_back(std::move(entry));
  out_.routes.push_back(std::move(row));
}

void ManifestReader::auth(int index, Manifest::Route& route, const Path& at) {
  if (!get(index, "auth")) {
    return problem(at, "does not say auth", "auth = \"none\", or a role like \"admin\"");
  }
  const int value = lua_gettop(L_);
  const Path here = at / "auth";
  if (lua_type(L_, value) == LUA_TSTRING) {
    const std::string role = lua_tostring(L_, value);
    route.auth_none = role == "none";
    if (!route.auth_none && identifier(role, here, "a role")) route.roles.push_back(role);
  } else if (need_table(value, here, "\"none\", a role, or { \"player\", own = \"id\" }")) {
    only_fields(value, here, {"own"}, true);
    route.own_param = text(value, "own", here).value_or("");
    for (int i = 1; i <= static_cast<int>(lua_objlen(L_, value)); ++i) {
      lua_rawgeti(L_, value, i);
      const std::string role = lua_type(L_, -1) == LUA_TSTRING ? lua_tostring(L_, -1) : "";
      lua_pop(L_, 1);
      if (role == "none") {
        problem(here, "is \"none\" or roles, not both");
      } else if (identifier(role, here, "a role")) {
        route.roles.push_back(role);
      }
    }
    if (route.roles.empty()) problem(here, "names no role");
  }
  lua_pop(L_, 1);
}

SchemaPtr ManifestReader::params(int index, const std::vector<std::string>& in_path,
                                 const Path& at) {
  Schema::Parts parts{.kind = Schema::Kind::record};
  if (const SchemaPtr given = record(index, "params", at)) {
    parts.fields = given->fields();
    for (const Schema::Field& field : given->fields()) {
      const bool there = std::find(in_path.begin(), in_path.end(), field.name) != in_path.end();
      if (there || field.schema->optional() || field.schema->fills_in()) continue;
      problem(at / "params" / field.name, "is not in the path, and not optional",
              "the path has it as :" + field.name);
    }
  }
  for (const std::string& name : in_path) {
    const bool there = std::any_of(parts.fields.begin(), parts.fields.end(),
                                   [&](const Schema::Field& field) { return field.name == name; });
    if (!there) parts.fields.push_back({name, Schema::make({.kind = Schema::Kind::string})});
  }
  return Schema::make(std::move(parts));
}

void ManifestReader::body(int index, Manifest::Route& route, PluginTable::Route& row,
                          const Path& at) {
  if (!get(index, "body")) return;
  const int value = lua_gettop(L_);
  const Path here = at / "body";
  if (route.method == "GET" || route.method == "HEAD") {
    problem(here, "is there, but " + route.method + " has no body", "use query");
  }
  bool media = lua_istable(L_, value);
  bool any_media = false;
  if (media) {
    const std::vector<std::string> keys = names(value, here, true);
    for (const std::string& key : keys) {
      const bool is_media = key.find('/') != std::string::npos;
      media &= is_media;
      any_media |= is_media;
    }
    media &= any_media;
    if (any_media && !media) problem(here, "mixes media types and fields");
    for (const std::string& key : media ? keys : std::vector<std::string>{}) {
      row.body.emplace_back(key, schema(value, key.c_str(), here));
    }
  }
  if (!media && !any_media) {
    const SchemaPtr given = schema_at(value, here);
    const bool lines = given && given->kind() == Schema::Kind::lines;
    row.body.emplace_back(lines ? kLines : "application/json", given);
  }
  lua_pop(L_, 1);
  for (const auto& [type, schema] : row.body) {
    if (schema && schema->kind() == Schema::Kind::lines && type != kLines) {
      problem(here / type, "is spec.lines, but lines of JSON are application/x-ndjson");
    }
  }
  for (const auto& [type, schema] : row.body) route.media_types.push_back(type);
}

void ManifestReader::stream(int index, Manifest::Route& route, PluginTable::Route& row,
                            const Path& at) {
  if (!get(index, "stream")) return;
  const int value = lua_gettop(L_);
  const Path here = at / "stream";
  if (need_table(value, here, "a table: { topic = \"...\", key = \"id\" } or { every = \"1s\" }")) {
    only_fields(value, here, {"topic", "key", "map", "every"});
    Manifest::Stream stream;
    stream.topic = text(value, "topic", here).value_or("");
    stream.key_param = text(value, "key", here).value_or("");
    stream.every = duration(value, "every", here).value_or(Duration{0});
    row.map = function(value, "map", here);
    stream.has_map = row.map != kNoRef;
    if (route.method != "GET") problem(here, "is there, but only GET routes are streams");
    if (stream.topic.empty() && stream.every.count() == 0) {
      problem(here, "says neither topic nor every");
    } else if (!stream.topic.empty() && stream.every.count() != 0) {
      problem(here, "says topic and every: one of them");
    }
    if (!stream.topic.empty()) topic(stream.topic, here / "topic", false);
    if (stream.topic.empty() && (stream.has_map || !stream.key_param.empty())) {
      problem(here, "has key and map only with a topic");
    }
    if (!stream.key_param.empty() && !row.params->find(stream.key_param)) {
      problem(here / "key", "\"" + stream.key_param + "\" is no parameter of the path");
    }
    route.stream = std::move(stream);
  }
  lua_pop(L_, 1);
}

void ManifestReader::same_routes() {
  const std::vector<Manifest::Route>& all = out_.manifest.routes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (all[i].method != all[j].method) continue;
      if (route_shape(all[i].pattern) != route_shape(all[j].pattern)) continue;
      problem({"routes", all[i].name()}, "matches the same requests as \"" + all[j].name() + "\"");
    }
  }
}

}  // namespace host::script
