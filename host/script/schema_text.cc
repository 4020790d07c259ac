#include <charconv>
#include <cmath>
#include <lua.hpp>

#include "host/script/json_write.h"
#include "host/script/schema.h"
#include "host/script/schema_check.h"
#include "host/script/schema_push.h"
#include "host/script/values.h"

namespace host::script {
namespace {

using Kind = Schema::Kind;

/// The whole text as a JSON number; nothing when it is none ("", "0x10", "1 ", "inf").
bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  return ec == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
}

/// JSON has no ".5", "5." or "007", which people write all the same.
void to_json_number(std::string_view text, std::string& json) {
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  const auto read = std::from_chars(text.data(), end, whole);
  if (read.ec == std::errc{} && read.ptr == end) return write_integer(whole, json);
  std::uint64_t large = 0;
  const auto again = std::from_chars(text.data(), end, large);
  if (again.ec == std::errc{} && again.ptr == end) {
    json += std::to_string(large);
    return;
  }
  double value = 0;
  std::from_chars(text.data(), end, value);
  write_number(value, json);
}

/// Text to the JSON that means it under the schema, so that one decoder checks all.
bool to_json(std::string_view text, const Schema& schema, std::string& json) {
  switch (schema.kind()) {
    case Kind::integer:
    case Kind::number:
    case Kind::money:
      if (!is_number(text)) return false;
      to_json_number(text, json);
      return true;
    case Kind::boolean:
      if (text != "true" && text != "false" && text != "1" && text != "0") return false;
      json = text == "true" || text == "1" ? "true" : "false";
      return true;
    case Kind::one_of:
      for (const Scalar& value : schema.parts().values) {
        std::string candidate;
        if (const auto* flag = std::get_if<bool>(&value)) candidate = *flag ? "true" : "false";
        if (const auto* number = std::get_if<double>(&value)) write_number(*number, candidate);
        if (candidate == text) {
          json = candidate;
          return true;
        }
      }
      return write_string(text, json);
    case Kind::string:
    case Kind::url:
    case Kind::time:
    case Kind::duration:
    case Kind::any:
      return write_string(text, json);
    default:  // lists, maps, records: written as JSON
      json = text;
      return true;
  }
}

/// Pushes one value, or nothing and a violation.
bool push_one(lua_State* L, std::string_view text, const Schema& schema, std::string_view at,
              Violations& violations) {
  std::string json;
  if (!to_json(text, schema, json)) {
    violations.push_back({std::string(at), "is not " + schema.describe()});
    return false;
  }
  Violations found;
  if (push_json(L, json, &schema, found, UnknownFields::refuse)) return true;
  for (Violation& violation : found) {
    const bool field = !violation.at.empty() && violation.at.front() != '[';
    violation.at = std::string(at) + (field && !at.empty() ? "." : "") + violation.at;
    violations.push_back(std::move(violation));
  }
  return false;
}

/// A repeated name becomes a list.
bool push_repeated(lua_State* L, const TextPairs& pairs, const std::string& name,
                   const Schema& schema, Violations& violations) {
  const Schema any(Schema::Parts{});
  const Schema& of = schema.parts().of ? *schema.parts().of : any;
  lua_newtable(L);
  mark_list(L);
  int count = 0;
  for (const auto& [key, text] : pairs) {
    if (key != name) continue;
    ++count;
    const std::string at = name + "[" + std::to_string(count) + "]";
    if (!push_one(L, text, of, at, violations)) continue;
    lua_rawseti(L, -2, count);
  }
  const std::string why = check_count(schema, static_cast<std::size_t>(count));
  if (!why.empty()) violations.push_back({name, why});
  return violations.empty();
}

const std::string* last_of(const TextPairs& pairs, std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [key, text] : pairs) {
    if (key == name) found = &text;
  }
  return found;
}

void set_text(lua_State* L, std::string_view name, std::string_view text) {
  lua_pushlstring(L, name.data(), name.size());
  lua_pushlstring(L, text.data(), text.size());
  lua_rawset(L, -3);
}

void read_field(lua_State* L, const TextPairs& pairs, const Schema::Field& field,
                Violations& violations) {
  const std::string* text = last_of(pairs, field.name);
  const int base = lua_gettop(L);
  lua_pushlstring(L, field.name.data(), field.name.size());
  bool pushed = false;
  if (text && field.schema->kind() == Kind::list) {
    pushed = push_repeated(L, pairs, field.name, *field.schema, violations);
  } else if (text) {
    pushed = push_one(L, *text, *field.schema, field.name, violations);
  } else if (field.schema->fills_in()) {
    push_filled(L, *field.schema);
    pushed = true;
  } else if (!field.schema->optional()) {
    violations.push_back({field.name, "is missing"});
  }
  if (pushed) {
    lua_rawset(L, base);
  } else {
    lua_settop(L, base);
  }
}

}  // namespace

bool push_text(lua_State* L, const TextPairs& pairs, const Schema* record, Violations& violations,
               UnknownFields unknown) {
  luaL_checkstack(L, 8, "a request is too deep");
  const int base = lua_gettop(L);
  const std::size_t before = violations.size();
  lua_createtable(L, 0, static_cast<int>(pairs.size()));
  for (const auto& [name, text] : pairs) {
    if (!record || (unknown == UnknownFields::keep && !record->find(name))) {
      set_text(L, name, text);
    } else if (unknown == UnknownFields::refuse && !record->find(name)) {
      violations.push_back({name, unknown_field(*record, name)});
    }
  }
  if (record) {
    for (const Schema::Field& field : record->fields()) read_field(L, pairs, field, violations);
  }
  if (violations.size() == before) return true;
  lua_settop(L, base);
  return false;
}

bool push_text_value(lua_State* L, std::string_view text, const Schema& schema,
                     Violations& violations) {
  luaL_checkstack(L, 8, "a setting is too deep");
  if (schema.kind() == Kind::any) {
    Violations not_json;
    if (push_json(L, text, &schema, not_json)) return true;
  }
  return push_one(L, text, schema, {}, violations);
}

}  // namespace host::script
