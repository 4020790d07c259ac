#include "bindings/spec.h"

#include <lua.hpp>

#include "bindings/module_table.h"
#include "bindings/spec_options.h"
#include "host/script/lua_state.h"
#include "host/script/schema_box.h"
#include "host/script/schema_of.h"

namespace host::bindings {
namespace {

using script::guarded;
using script::push_schema;
using script::raise;
using script::Schema;
using script::SchemaPtr;
using Kind = Schema::Kind;

int push(lua_State* L, Schema::Parts parts) {
  SchemaPtr made = Schema::make(std::move(parts));
  if (const std::string why = made->excess(); !why.empty()) raise(L, why);
  push_schema(L, std::move(made));
  return 1;
}

SchemaPtr need_schema(lua_State* L, int index, const std::string& what) {
  std::string why;
  SchemaPtr schema = script::schema_of(L, index, why);
  if (!schema) raise(L, what + ": " + why);
  return schema;
}

std::string text_at(lua_State* L, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

std::vector<Schema::Field> read_fields(lua_State* L, int index, const std::string& what) {
  std::vector<Schema::Field> fields;
  std::string why;
  if (!script::read_fields(L, index, what, fields, why)) raise(L, why);
  return fields;
}

void need_table(lua_State* L, int index, const char* message) {
  if (lua_type(L, index) != LUA_TTABLE) raise(L, message);
}

void read_more(lua_State* L, int index, Schema::Parts& parts) {
  if (!lua_isnoneornil(L, index)) read_options(L, index, parts);
}

int spec_record(lua_State* L) {
  need_table(L, 1, "spec.record takes a table of fields");
  Schema::Parts parts{.kind = Kind::record};
  parts.fields = read_fields(L, 1, "spec.record");
  read_more(L, 2, parts);
  return push(L, std::move(parts));
}

template <Kind kind>
int spec_of(lua_State* L) {
  const std::string name = std::string("spec.") + script::to_string(kind);
  if (lua_isnoneornil(L, 1)) raise(L, name + " takes what it holds: " + name + "(spec.string)");
  Schema::Parts parts{.kind = kind};
  parts.of = need_schema(L, 1, name);
  read_more(L, 2, parts);
  if (kind == Kind::lines && !parts.max) parts.max = script::kMostLines;
  return push(L, std::move(parts));
}

int spec_one_of(lua_State* L) {
  need_table(L, 1, "spec.one_of takes a list of values: spec.one_of { \"a\", \"b\" }");
  Schema::Parts parts{.kind = Kind::one_of};
  const int size = static_cast<int>(lua_objlen(L, 1));
  if (size == 0) raise(L, "spec.one_of needs at least one value");
  for (int i = 1; i <= size; ++i) {
    lua_rawgeti(L, 1, i);
    if (lua_type(L, -1) == LUA_TSTRING) {
      parts.values.emplace_back(text_at(L, -1));
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
      parts.values.emplace_back(lua_tonumber(L, -1));
    } else if (lua_type(L, -1) == LUA_TBOOLEAN) {
      parts.values.emplace_back(lua_toboolean(L, -1) != 0);
    } else {
      raise(L, "spec.one_of takes texts, numbers, true and false");
    }
    lua_pop(L, 1);
  }
  read_options(L, 1, parts, true);
  read_more(L, 2, parts);
  return push(L, std::move(parts));
}

/// A variant is a record that also has the tag, as a field of one possible value.
SchemaPtr with_tag(lua_State* L, const Schema::Field& variant, const std::string& tag) {
  if (variant.schema->kind() != Kind::record) {
    raise(L, "spec.tagged: \"" + variant.name + "\" is not a table of fields");
  }
  if (variant.schema->find(tag)) {
    raise(L, "spec.tagged: \"" + variant.name + "\" has the tag \"" + tag + "\" as a field too");
  }
  Schema::Parts parts = variant.schema->parts();
  parts.fields.push_back(
      {tag, Schema::make({.kind = Kind::one_of, .values = {script::Scalar(variant.name)}})});
  return Schema::make(std::move(parts));
}

int spec_tagged(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING || lua_objlen(L, 1) == 0) {
    raise(L, "spec.tagged takes the tag's name first: spec.tagged(\"type\", { Name = { ... } })");
  }
  need_table(L, 2, "spec.tagged takes a table of records: spec.tagged(\"type\", { Name = {} })");
  Schema::Parts parts{.kind = Kind::tagged, .tag_field = text_at(L, 1)};
  for (Schema::Field& variant : read_fields(L, 2, "spec.tagged")) {
    parts.fields.push_back({variant.name, with_tag(L, variant, parts.tag_field)});
  }
  if (parts.fields.empty()) raise(L, "spec.tagged needs at least one record");
  read_more(L, 3, parts);
  return push(L, std::move(parts));
}

int spec_limit(lua_State* L) {
  if (lua_type(L, 1) != LUA_TNUMBER || lua_type(L, 2) != LUA_TNUMBER) {
    raise(L, "spec.limit takes the default and the largest: spec.limit(20, 100)");
  }
  Schema::Parts parts{.kind = Kind::integer, .min = 1.0, .max = lua_tonumber(L, 2)};
  parts.doc = "how many at most";
  const std::string why = script::set_default(L, 1, parts);
  if (!why.empty()) raise(L, why);
  read_more(L, 3, parts);
  return push(L, std::move(parts));
}

int spec_cursor(lua_State* L) { raise(L, "spec.cursor is not in this version"); }
int spec_either(lua_State* L) { raise(L, "spec.either is not in this version"); }

SchemaPtr self(lua_State* L, const char* method) {
  SchemaPtr schema = script::to_schema(L, 1);
  if (!schema) raise(L, std::string("call it with a colon: schema:") + method);
  return schema;
}

/// schema { default = ..., optional = true }: the same with these options.
int schema_call(lua_State* L) {
  Schema::Parts parts = self(L, "call")->parts();
  read_options(L, 2, parts);
  return push(L, std::move(parts));
}

/// record:with { more = ... }: its fields and these; the new ones win.
int schema_with(lua_State* L) {
  const SchemaPtr schema = self(L, "with { ... }");
  if (schema->kind() != Kind::record) raise(L, "only a record can be extended by :with");
  need_table(L, 2, "record:with takes a table of fields");
  Schema::Parts parts{.kind = Kind::record, .doc = schema->parts().doc};
  parts.fields = read_fields(L, 2, "record:with");
  const std::size_t added = parts.fields.size();
  for (const Schema::Field& field : schema->fields()) {
    bool replaced = false;
    for (std::size_t i = 0; i < added; ++i) replaced |= parts.fields[i].name == field.name;
    if (!replaced) parts.fields.push_back({field.name, field.schema});
  }
  return push(L, std::move(parts));
}

int schema_index(lua_State* L) {
  const SchemaPtr schema = script::to_schema(L, 1);
  const std::string name = lua_type(L, 2) == LUA_TSTRING ? text_at(L, 2) : "";
  if (schema && name == "with") {
    lua_pushcfunction(L, guarded<schema_with>);
    return 1;
  }
  if (!schema || name != "fields") raise(L, "a schema has `fields` and `:with`, not " + name);
  if (schema->kind() != Kind::record) raise(L, "only a record has `fields`");
  lua_createtable(L, 0, static_cast<int>(schema->fields().size()));
  for (const Schema::Field& field : schema->fields()) {
    push_schema(L, field.schema);
    lua_setfield(L, -2, field.name.c_str());
  }
  return 1;
}

constexpr std::pair<const char*, Kind> kPlain[] = {
    {"string", Kind::string}, {"int", Kind::integer}, {"number", Kind::number},
    {"bool", Kind::boolean},  {"money", Kind::money}, {"time", Kind::time},
    {"url", Kind::url},       {"any", Kind::any},     {"duration", Kind::duration},
};
constexpr std::pair<const char*, lua_CFunction> kMade[] = {
    {"one_of", guarded<spec_one_of>},       {"tagged", guarded<spec_tagged>},
    {"list", guarded<spec_of<Kind::list>>}, {"map", guarded<spec_of<Kind::map>>},
    {"record", guarded<spec_record>},       {"limit", guarded<spec_limit>},
    {"cursor", guarded<spec_cursor>},       {"lines", guarded<spec_of<Kind::lines>>},
    {"either", guarded<spec_either>},
};

}  // namespace

int open_spec(lua_State* L) {
  script::open_schema_values(L, guarded<schema_call>, guarded<schema_index>);
  lua_createtable(L, 0, 24);
  for (const auto& [name, kind] : kPlain) {
    push_schema(L, Schema::make({.kind = kind}));
    lua_setfield(L, -2, name);
  }
  for (const auto& [name, function] : kMade) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
  }
  freeze_module(L, "host.spec");
  return 1;
}

}  // namespace host::bindings
