#include "bindings/spec_options.h"

#include <cmath>
#include <lua.hpp>

#include "host/script/lua_state.h"
#include "host/script/schema_check.h"
#include "host/script/schema_of.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

using script::raise;
using script::Schema;
using Kind = Schema::Kind;

bool has_range(Kind kind) {
  return kind != Kind::any && kind != Kind::boolean && kind != Kind::url && kind != Kind::one_of &&
         kind != Kind::tagged && kind != Kind::record;
}

std::vector<std::string_view> known_options(Kind kind) {
  std::vector<std::string_view> names{"default", "optional", "doc", "secret"};
  if (has_range(kind)) names.insert(names.end(), {"min", "max"});
  if (kind == Kind::string) names.emplace_back("pattern");
  return names;
}

std::string label(Kind kind) { return std::string("spec.") + to_string(kind); }

double amount(lua_State* L, int index, const char* name) {
  std::int64_t minor = 0;
  if (const auto money = script::to_money(L, index)) {
    minor = *money;
  } else if (lua_type(L, index) == LUA_TSTRING) {
    const auto parsed = script::parse_money(lua_tostring(L, index));
    if (!parsed) raise(L, std::string(name) + ": " + parsed.error().message);
    minor = *parsed;
  } else if (lua_type(L, index) == LUA_TNUMBER) {
    const auto exact = script::money_of_number(lua_tonumber(L, index));
    if (!exact) raise(L, std::string(name) + " " + exact.error().message);
    minor = *exact;
  } else {
    raise(L, std::string(name) + " of spec.money is money like \"2.50\"");
  }
  return static_cast<double>(minor);
}

double point_in_time(lua_State* L, int index, const char* name) {
  if (const auto at = script::to_time(L, index)) return static_cast<double>(to_micros(*at));
  if (lua_type(L, index) != LUA_TSTRING) {
    raise(L, std::string(name) + " of spec.time is a time like \"2026-11-21T12:00:00Z\"");
  }
  const auto parsed = parse_time(lua_tostring(L, index));
  if (!parsed) raise(L, std::string(name) + ": " + parsed.error().message);
  return static_cast<double>(to_micros(*parsed));
}

/// `min` or `max` in the unit of its kind.
double read_limit(lua_State* L, int index, const char* name, Kind kind) {
  if (kind == Kind::money) return amount(L, index, name);
  if (kind == Kind::time) return point_in_time(L, index, name);
  if (kind == Kind::duration) {
    const auto found = script::to_duration(L, index);
    if (!found) raise(L, std::string(name) + ": " + found.error().message);
    return static_cast<double>(found->count()) / 1e6;
  }
  if (lua_type(L, index) != LUA_TNUMBER) {
    raise(L, std::string(name) + " of " + label(kind) + " is a number");
  }
  const double value = lua_tonumber(L, index);
  const bool counts =
      kind == Kind::string || kind == Kind::list || kind == Kind::map || kind == Kind::lines;
  if (!std::isfinite(value) || (counts && (value < 0 || std::floor(value) != value))) {
    raise(L, std::string(name) + " of " + label(kind) + " is a whole number from 0");
  }
  return value;
}

bool read_flag(lua_State* L, int index, const char* name) {
  if (lua_type(L, index) != LUA_TBOOLEAN) raise(L, std::string(name) + " is true or false");
  return lua_toboolean(L, index) != 0;
}

std::string read_text(lua_State* L, int index, const char* name) {
  if (lua_type(L, index) != LUA_TSTRING) raise(L, std::string(name) + " is text");
  std::size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return {text, size};
}

/// The option's name is at -2, its value at -1. `default` waits until the limits are known.
void read_option(lua_State* L, std::string_view name, Schema::Parts& parts) {
  const int value = lua_gettop(L);
  if (name == "optional") {
    parts.optional = read_flag(L, value, "optional");
  } else if (name == "secret") {
    parts.secret = read_flag(L, value, "secret");
  } else if (name == "doc") {
    parts.doc = read_text(L, value, "doc");
  } else if (name == "min" && has_range(parts.kind)) {
    parts.min = read_limit(L, value, "min", parts.kind);
  } else if (name == "max" && has_range(parts.kind)) {
    parts.max = read_limit(L, value, "max", parts.kind);
  } else if (name == "pattern" && parts.kind == Kind::string) {
    parts.pattern = read_text(L, value, "pattern");
  } else if (name != "default") {
    const std::string near = script::nearest(name, known_options(parts.kind));
    raise(L, label(parts.kind) + " has no option \"" + std::string(name) + "\"" +
                 (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
  }
}

/// A default that was given before must fit the limits that are given now, and the other way round.
void check_old_default(lua_State* L, const Schema::Parts& parts) {
  if (parts.default_json.empty()) return;
  Schema::Parts without = parts;
  without.default_json.clear();
  const script::SchemaPtr schema = Schema::make(std::move(without));
  script::Violations violations;
  if (!script::push_json(L, parts.default_json, schema.get(), violations)) {
    raise(L, "the default of " + label(parts.kind) + " " + to_string(violations));
  }
  lua_pop(L, 1);
}

}  // namespace

void read_options(lua_State* L, int index, Schema::Parts& parts, bool skip_items) {
  if (lua_type(L, index) != LUA_TTABLE) {
    raise(L, label(parts.kind) + " takes a table of options, not a " + luaL_typename(L, index));
  }
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      read_option(L, read_text(L, -2, "option"), parts);
    } else if (!skip_items || lua_type(L, -2) != LUA_TNUMBER) {
      raise(L, label(parts.kind) + " takes options by name: { default = ..., optional = true }");
    }
  }
  if (parts.min && parts.max && *parts.min > *parts.max) {
    raise(L, "min of " + label(parts.kind) + " is more than its max");
  }
  lua_getfield(L, index, "default");
  if (lua_isnil(L, -1)) {
    check_old_default(L, parts);
  } else {
    const std::string why = script::set_default(L, lua_gettop(L), parts);
    if (!why.empty()) raise(L, why);
  }
  lua_pop(L, 1);
}

}  // namespace host::bindings
