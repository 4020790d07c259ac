#include "host/script/manifest_reader.h"

#include <algorithm>
#include <cctype>

#include "host/script/lua_state.h"
#include "host/script/schema_check.h"
#include "host/script/schema_of.h"
#include "host/script/values.h"

namespace host::script {
namespace {

std::string type_name(lua_State* L, int index) {
  return std::string("a ") + luaL_typename(L, index);
}

}  // namespace

SourceLines::Path operator/(SourceLines::Path path, std::string name) {
  path.push_back(std::move(name));
  return path;
}

std::string to_string(const SourceLines::Path& path) {
  std::string out;
  for (const std::string& key : path) {
    const bool word = std::all_of(key.begin(), key.end(),
                                  [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (word) {
      out += (out.empty() ? "" : ".") + key;
    } else {
      out += "[\"" + key + "\"]";
    }
  }
  return out;
}

void ManifestReader::read(int index) {
  only_fields(index, {},
              {"api", "name", "doc", "uses", "emits", "config", "state", "migrate", "on", "timers",
               "every", "routes", "tables", "policies", "metrics", "rebuild", "smoke"});
  head(index);
  emits(index);
  state(index);
  migrate(index);
  timers(index);
  on(index);
  every(index);
  routes(index);
  tables(index);
  config(index);
  policies(index);
  // One may be the beginning of another, whose rest would stay to be seen.
  std::stable_sort(out_.secrets.begin(), out_.secrets.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  metrics(index);
  smoke(index);
  rebuild(index);
  calls();
}

void ManifestReader::problem(const Path& at, std::string message, std::string hint) {
  const SourceLines::Place place = lines_.find(at);
  const std::string where = to_string(at);
  problems_.push_back({.file = place.file,
                       .line = place.line,
                       .message = where.empty() ? std::move(message) : where + " " + message,
                       .hint = std::move(hint)});
}

void ManifestReader::problem_of_function(int index, const Path& at, std::string message,
                                         std::string hint) {
  problem(at, std::move(message), std::move(hint));
  if (!lua_isfunction(L_, index) || lua_iscfunction(L_, index)) return;
  lua_Debug info;
  lua_pushvalue(L_, index);
  if (!lua_getinfo(L_, ">S", &info) || info.source[0] != '@') return;
  problems_.back().file = info.source + 1;
  problems_.back().line = info.linedefined;
}

std::vector<std::string> ManifestReader::names(int index, const Path& at, bool allow_items) {
  std::vector<std::string> out;
  for (lua_pushnil(L_); lua_next(L_, index); lua_pop(L_, 1)) {
    if (lua_type(L_, -2) == LUA_TSTRING) {
      out.emplace_back(lua_tostring(L_, -2));
    } else if (!allow_items || lua_type(L_, -2) != LUA_TNUMBER) {
      problem(at, "has an entry without a name", "write name = value");
      lua_pop(L_, 2);
      break;
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

void ManifestReader::only_fields(int index, const Path& at,
                                 std::initializer_list<std::string_view> known, bool allow_items) {
  for (const std::string& name : names(index, at, allow_items)) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest(name, known);
    problem(at / name, "is not a field here", near.empty() ? "" : "did you mean \"" + near + "\"?");
  }
}

bool ManifestReader::need_table(int index, const Path& at, const char* what) {
  if (lua_istable(L_, index)) return true;
  problem(at, "is " + type_name(L_, index) + ", not " + what);
  return false;
}

bool ManifestReader::get(int index, const char* name) {
  luaL_checkstack(L_, 16, "the manifest is too deep");
  lua_pushstring(L_, name);
  lua_rawget(L_, index);
  if (!lua_isnil(L_, -1)) return true;
  lua_pop(L_, 1);
  return false;
}

std::optional<std::string> ManifestReader::text(int index, const char* name, const Path& at) {
  if (!get(index, name)) return std::nullopt;
  std::optional<std::string> out;
  if (lua_type(L_, -1) == LUA_TSTRING) {
    out = lua_tostring(L_, -1);
  } else {
    problem(at / name, "is " + type_name(L_, -1) + ", not text");
  }
  lua_pop(L_, 1);
  return out;
}

std::optional<bool> ManifestReader::flag(int index, const char* name, const Path& at) {
  if (!get(index, name)) return std::nullopt;
  std::optional<bool> out;
  if (lua_isboolean(L_, -1)) {
    out = lua_toboolean(L_, -1) != 0;
  } else {
    problem(at / name, "is " + type_name(L_, -1) + ", not true or false");
  }
  lua_pop(L_, 1);
  return out;
}

std::optional<Duration> ManifestReader::duration(int index, const char* name, const Path& at) {
  if (!get(index, name)) return std::nullopt;
  const Result<Duration> found = to_duration(L_, lua_gettop(L_));
  lua_pop(L_, 1);
  if (!found) {
    problem(at / name, "is no duration: " + found.error().message, found.error().hint);
    return std::nullopt;
  }
  if (found->count() == 0) {
    problem(at / name, "is 0: a duration above zero is needed here");
    return std::nullopt;
  }
  return *found;
}

SchemaPtr ManifestReader::schema_at(int index, const Path& at) {
  std::string why;
  SchemaPtr out = schema_of(L_, index, why);
  if (!out) problem(at, "is no schema: " + why);
  const bool body = at.size() >= 3 && at[0] == "routes" && (at[2] == "body" || at[2] == "returns");
  if (out && out->kind() == Schema::Kind::lines && !body) {
    problem(at, "is spec.lines, which is there for `body` and `returns` of a route");
    return nullptr;
  }
  return out;
}

SchemaPtr ManifestReader::schema(int index, const char* name, const Path& at) {
  if (!get(index, name)) return nullptr;
  SchemaPtr out = schema_at(lua_gettop(L_), at / name);
  lua_pop(L_, 1);
  return out;
}

SchemaPtr ManifestReader::record(int index, const char* name, const Path& at) {
  SchemaPtr out = schema(index, name, at);
  if (!out || out->kind() == Schema::Kind::record) return out;
  problem(at / name, "is " + out->describe() + ", not a record", "write { name = spec.string }");
  return nullptr;
}

LuaRef ManifestReader::keep(int index) {
  lua_pushvalue(L_, index);
  return luaL_ref(L_, LUA_REGISTRYINDEX);
}

LuaRef ManifestReader::function(int index, const char* name, const Path& at) {
  if (!get(index, name)) return kNoRef;
  LuaRef out = kNoRef;
  if (lua_isfunction(L_, -1)) {
    out = keep(lua_gettop(L_));
  } else {
    problem(at / name, "is " + type_name(L_, -1) + ", not a function");
  }
  lua_pop(L_, 1);
  return out;
}

bool ManifestReader::identifier(const std::string& name, const Path& at, const char* what) {
  const auto good = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  if (!name.empty() && name.size() <= 60 && !std::isdigit(static_cast<unsigned char>(name[0])) &&
      std::all_of(name.begin(), name.end(), good)) {
    return true;
  }
  problem(at, std::string("is no name of ") + what, "letters, digits and _, at most 60");
  return false;
}

void ManifestReader::not_in_this_version(int index, std::initializer_list<const char*> fields,
                                         const Path& at) {
  for (const char* field : fields) {
    if (!get(index, field)) continue;
    lua_pop(L_, 1);
    problem(at / field, "is not in this version");
  }
}

}  // namespace host::script
