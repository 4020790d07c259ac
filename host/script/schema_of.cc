#include "host/script/schema_of.h"

#include <cmath>
#include <lua.hpp>

#include "host/script/values.h"

namespace host::script {
namespace {

using Kind = Schema::Kind;

SchemaPtr with_default(lua_State* L, int index, Kind kind, std::string& why) {
  Schema::Parts parts{.kind = kind};
  why = set_default(L, index, parts);
  return why.empty() ? Schema::make(std::move(parts)) : nullptr;
}

SchemaPtr schema_at(lua_State* L, int index, std::string& why, int depth);

bool fields_at(lua_State* L, int index, const std::string& what, std::vector<Schema::Field>& fields,
               std::string& why, int depth) {
  const int base = lua_gettop(L);
  if (depth > 64 || !lua_checkstack(L, 16)) {  // also what contains itself
    why = what + " is nested too deep";
    return false;
  }
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      why = what + " names its fields: { name = spec.string }; a list is spec.list(...)";
      lua_settop(L, base);
      return false;
    }
    std::string name = lua_tostring(L, -2);
    SchemaPtr schema = schema_at(L, lua_gettop(L), why, depth + 1);
    if (!schema) {
      why = "field \"" + name + "\": " + why;
      lua_settop(L, base);
      return false;
    }
    fields.push_back({std::move(name), std::move(schema)});
  }
  return true;
}

SchemaPtr record_of(lua_State* L, int index, std::string& why, int depth) {
  Schema::Parts parts{.kind = Kind::record};
  if (!fields_at(L, index, "a record", parts.fields, why, depth)) return nullptr;
  SchemaPtr made = Schema::make(std::move(parts));
  why = made->excess();
  return why.empty() ? made : nullptr;
}

SchemaPtr schema_at(lua_State* L, int index, std::string& why, int depth) {
  if (index < 0 && index > LUA_REGISTRYINDEX) index = lua_gettop(L) + 1 + index;
  if (SchemaPtr schema = to_schema(L, index)) return schema;
  if (to_money(L, index)) return with_default(L, index, Kind::money, why);
  if (to_time(L, index)) return with_default(L, index, Kind::time, why);
  switch (lua_type(L, index)) {
    case LUA_TNUMBER: {
      const double value = lua_tonumber(L, index);
      const bool whole = std::floor(value) == value;
      return with_default(L, index, whole ? Kind::integer : Kind::number, why);
    }
    case LUA_TSTRING:
      return with_default(L, index, Kind::string, why);
    case LUA_TBOOLEAN:
      return with_default(L, index, Kind::boolean, why);
    case LUA_TTABLE:
      return record_of(L, index, why, depth);
    case LUA_TFUNCTION:
      why = "a function is no schema: spec.list, spec.map, spec.one_of and spec.tagged are called";
      return nullptr;
    default:
      why = std::string("a ") + luaL_typename(L, index) + " is no schema";
      return nullptr;
  }
}

}  // namespace

std::string set_default(lua_State* L, int index, Schema::Parts& parts) {
  Schema::Parts without = parts;
  without.default_json.clear();
  const SchemaPtr schema = Schema::make(std::move(without));
  std::string json;
  Violations violations;
  if (!append_json(L, index, schema.get(), json, violations)) {
    return std::string("the default of spec.") + to_string(parts.kind) + " " +
           to_string(violations);
  }
  parts.default_json = std::move(json);
  return {};
}

bool read_fields(lua_State* L, int index, const std::string& what,
                 std::vector<Schema::Field>& fields, std::string& why) {
  return fields_at(L, index, what, fields, why, 1);
}

SchemaPtr schema_of(lua_State* L, int index, std::string& why) {
  return schema_at(L, index, why, 1);
}

}  // namespace host::script
