#include <simdjson.h>

#include <cmath>
#include <lua.hpp>
#include <nlohmann/json.hpp>

#include "host/script/json_error.h"
#include "host/script/schema.h"
#include "host/script/schema_check.h"
#include "host/script/schema_push.h"
#include "host/script/values.h"

namespace host::script {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using Kind = Schema::Kind;

constexpr std::size_t kKeptBuffer = 4u << 20;  // bytes of JSON

const char* name_of(element_type type) {
  switch (type) {
    case element_type::ARRAY:
      return "a list";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "text";
    case element_type::BOOL:
      return "true or false";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

std::string_view text_of(element e) { return e.get_string().value_unsafe(); }

bool is_number(element e) { return e.is_int64() || e.is_uint64() || e.is_double(); }

double number_of(element e) {
  if (e.is_int64()) return static_cast<double>(e.get_int64().value_unsafe());
  if (e.is_uint64()) return static_cast<double>(e.get_uint64().value_unsafe());
  return e.get_double().value_unsafe();
}

/// Walks simdjson's document and the schema together. Every function pushes exactly one value, nil
/// where it found a violation, so that one pass names them all. No object with a destructor lives
/// across a call into Lua, but for the texts of violations.
class Decoder {
 public:
  Decoder(lua_State* L, Report& report, UnknownFields unknown)
      : L_(L), report_(report), unknown_(unknown) {}

  void value(element e, const Schema* schema, const PathStep* path, int depth) {
    if (depth > kMaxDepth || !lua_checkstack(L_, 8)) {
      return wrong(path, "is nested deeper than 128 levels");
    }
    if (!schema) return any(e, path, depth);
    switch (schema->kind()) {
      case Kind::any:
        return any(e, path, depth);
      case Kind::string:
      case Kind::url:
        return string(e, *schema, path);
      case Kind::integer:
      case Kind::number:
        return number(e, *schema, path);
      case Kind::boolean:
        if (!e.is_bool()) return wrong_type(e, *schema, path);
        return lua_pushboolean(L_, e.get_bool().value_unsafe());
      case Kind::money:
        return money(e, *schema, path);
      case Kind::time:
        return time(e, *schema, path);
      case Kind::duration:
        return duration(e, *schema, path);
      case Kind::one_of:
        return one_of(e, *schema, path);
      case Kind::list:
      case Kind::lines:  // request_lines.cc reads them
        return list(e, *schema, path, depth);
      case Kind::map:
        return map(e, *schema, path, depth);
      case Kind::tagged:
        return tagged(e, *schema, path, depth);
      case Kind::record:
        return record(e, *schema, path, depth);
    }
  }

 private:
  void wrong(const PathStep* path, std::string message) {
    report_.add(path, std::move(message));
    lua_pushnil(L_);
  }
  void wrong_type(element e, const Schema& schema, const PathStep* path) {
    wrong(path, script::wrong_type(schema, name_of(e.type())));
  }
  bool refused(std::string why, const PathStep* path) {
    if (why.empty()) return false;
    wrong(path, std::move(why));
    return true;
  }

  void any(element e, const PathStep* path, int depth) {
    switch (e.type()) {
      case element_type::NULL_VALUE:
        return push_null(L_);
      case element_type::BOOL:
        return lua_pushboolean(L_, e.get_bool().value_unsafe());
      case element_type::STRING:
        return push_text(text_of(e));
      case element_type::ARRAY:
        items(e, nullptr, path, depth);
        return mark_list(L_);
      case element_type::OBJECT:
        return entries(e, nullptr, path, depth);
      default:
        return push_number(e);
    }
  }

  void push_text(std::string_view text) { lua_pushlstring(L_, text.data(), text.size()); }

  void push_number(element e) {
    if (e.is_int64()) return push_int64(L_, e.get_int64().value_unsafe());
    if (e.is_uint64()) return push_uint64(L_, e.get_uint64().value_unsafe());
    lua_pushnumber(L_, e.get_double().value_unsafe());
  }

  void string(element e, const Schema& schema, const PathStep* path) {
    if (!e.is_string()) return wrong_type(e, schema, path);
    if (!refused(check_string(schema, text_of(e), budget_), path)) push_text(text_of(e));
  }

  void number(element e, const Schema& schema, const PathStep* path) {
    if (!is_number(e)) return wrong_type(e, schema, path);
    if (refused(check_number(schema, number_of(e)), path)) return;
    if (schema.kind() == Kind::integer && e.type() == element_type::DOUBLE &&
        std::abs(number_of(e)) > 9007199254740992.0) {
      return wrong(path, "is beyond 2^53, where numbers are no longer exact");
    }
    push_number(e);
  }

  void money(element e, const Schema& schema, const PathStep* path) {
    if (!is_number(e)) return wrong_type(e, schema, path);
    const Result<std::int64_t> minor = money_of_number(number_of(e));
    if (!minor) return wrong(path, minor.error().message);
    if (!refused(check_money(schema, *minor), path)) push_money(L_, *minor);
  }

  void time(element e, const Schema& schema, const PathStep* path) {
    if (!e.is_string()) return wrong_type(e, schema, path);
    const Result<Time> at = parse_time(text_of(e));
    if (!at) return wrong(path, "is not " + schema.describe());
    if (!refused(check_time(schema, *at), path)) push_time(L_, *at);
  }

  void duration(element e, const Schema& schema, const PathStep* path) {
    double seconds = 0;
    if (e.is_string()) {
      const Result<Duration> parsed = parse_duration(text_of(e));
      if (!parsed) return wrong(path, "is not " + schema.describe());
      seconds = static_cast<double>(parsed->count()) / 1e6;
    } else if (is_number(e) && number_of(e) >= 0 && number_of(e) < 9e11) {
      seconds = number_of(e);
    } else {
      return wrong_type(e, schema, path);
    }
    if (!refused(check_seconds(schema, seconds), path)) lua_pushnumber(L_, seconds);
  }

  void one_of(element e, const Schema& schema, const PathStep* path) {
    std::string why;
    if (e.is_string()) {
      // Nearly always text: compared without making one.
      for (const Scalar& value : schema.parts().values) {
        const auto* text = std::get_if<std::string>(&value);
        if (text && *text == text_of(e)) return push_text(text_of(e));
      }
      why = check_one_of(schema, std::string(text_of(e)));
    } else if (e.is_bool()) {
      why = check_one_of(schema, e.get_bool().value_unsafe());
    } else if (is_number(e)) {
      why = check_one_of(schema, number_of(e));
    } else {
      return wrong_type(e, schema, path);
    }
    if (!refused(std::move(why), path)) any(e, path, 0);
  }

  void items(element e, const Schema* of, const PathStep* path, int depth) {
    const simdjson::dom::array array = e.get_array().value_unsafe();
    lua_createtable(L_, static_cast<int>(array.size()), 0);
    PathStep step{.up = path};
    for (const element item : array) {
      ++step.index;
      if (of && of->optional() && item.is_null()) {
        push_null(L_);  // a hole would end the list
      } else {
        value(item, of, &step, depth + 1);
      }
      lua_rawseti(L_, -2, static_cast<int>(step.index));
      if (report_.full()) return;
    }
  }

  void entries(element e, const Schema* of, const PathStep* path, int depth) {
    const simdjson::dom::object object = e.get_object().value_unsafe();
    lua_createtable(L_, 0, static_cast<int>(object.size()));
    PathStep step{.up = path};
    for (const auto& [key, item] : object) {
      step.name = key;
      push_text(key);
      if (of && of->optional() && item.is_null()) {
        push_null(L_);
      } else {
        value(item, of, &step, depth + 1);
      }
      lua_rawset(L_, -3);
      if (report_.full()) return;
    }
  }

  void list(element e, const Schema& schema, const PathStep* path, int depth) {
    if (!e.is_array()) return wrong_type(e, schema, path);
    const std::size_t size = e.get_array().value_unsafe().size();
    if (refused(check_count(schema, size), path)) return;
    items(e, schema.parts().of.get(), path, depth);
    mark_list(L_);
  }

  void map(element e, const Schema& schema, const PathStep* path, int depth) {
    if (!e.is_object()) return wrong_type(e, schema, path);
    const std::size_t size = e.get_object().value_unsafe().size();
    if (!refused(check_count(schema, size), path)) {
      entries(e, schema.parts().of.get(), path, depth);
    }
  }

  void tagged(element e, const Schema& schema, const PathStep* path, int depth) {
    if (!e.is_object()) return wrong_type(e, schema, path);
    const PathStep tag_step{.up = path, .name = schema.tag_field()};
    element tag;
    if (e.get_object().value_unsafe().at_key(schema.tag_field()).get(tag)) {
      return wrong(&tag_step, "is missing");
    }
    if (!tag.is_string()) return wrong(&tag_step, "is not text");
    const Schema* variant = schema.find(text_of(tag));
    if (!variant) return wrong(&tag_step, unknown_tag(schema));
    record(e, *variant, path, depth);
  }

  void record(element e, const Schema& schema, const PathStep* path, int depth) {
    if (!e.is_object()) return wrong_type(e, schema, path);
    const std::vector<Schema::Field>& fields = schema.fields();
    lua_createtable(L_, 0, static_cast<int>(fields.size()));
    // Which fields were there; records of more than 64 look in the table instead.
    std::uint64_t seen = 0;
    std::size_t guess = 0;
    PathStep step{.up = path};
    const simdjson::dom::object object = e.get_object().value_unsafe();
    for (const auto& [key, item] : object) {
      step.name = key;
      const std::size_t index = schema.index_of(key, guess);
      if (index == fields.size()) {
        unknown(key, item, schema, &step, depth);
        continue;
      }
      guess = index + 1;
      const Schema& field = *fields[index].schema;
      if (item.is_null() && field.optional() && field.kind() != Kind::any) continue;
      if (index < 64) seen |= 1ULL << index;
      push_text(key);
      value(item, &field, &step, depth + 1);
      lua_rawset(L_, -3);
      if (report_.full()) return;
    }
    fill_in(fields, seen, path);
  }

  void unknown(std::string_view key, element item, const Schema& schema, const PathStep* step,
               int depth) {
    if (unknown_ == UnknownFields::refuse) report_.add(step, unknown_field(schema, key));
    if (unknown_ != UnknownFields::keep) return;
    push_text(key);
    value(item, nullptr, step, depth + 1);
    lua_rawset(L_, -3);
  }

  void fill_in(const std::vector<Schema::Field>& fields, std::uint64_t seen, const PathStep* path) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i < 64 && (seen >> i & 1)) continue;
      const Schema& field = *fields[i].schema;
      push_text(fields[i].name);
      if (i >= 64) {  // there already?
        lua_pushvalue(L_, -1);
        lua_rawget(L_, -3);
        const bool there = !lua_isnil(L_, -1);
        lua_pop(L_, 1);
        if (there) {
          lua_pop(L_, 1);
          continue;
        }
      }
      if (field.fills_in()) {
        push_filled(L_, field);
        lua_rawset(L_, -3);
        continue;
      }
      lua_pop(L_, 1);
      if (field.optional()) continue;
      const PathStep step{.up = path, .name = fields[i].name};
      report_.add(&step, "is missing");
    }
  }

  lua_State* L_;
  Report& report_;
  PatternBudget budget_;
  UnknownFields unknown_;
};

void push_json_value(lua_State* L, const nlohmann::json& value, const Schema* schema);

void push_json_items(lua_State* L, const nlohmann::json& value, const Schema* of) {
  lua_createtable(L, static_cast<int>(value.size()), 0);
  int index = 0;
  for (const nlohmann::json& item : value) {
    push_json_value(L, item, of);
    lua_rawseti(L, -2, ++index);
  }
  mark_list(L);
}

/// A default that is no scalar. It was encoded by its schema, so it fits.
void push_json_value(lua_State* L, const nlohmann::json& value, const Schema* schema) {
  const Kind kind = schema ? schema->kind() : Kind::any;
  luaL_checkstack(L, 8, "a default is too deep");
  if (value.is_array())
    return push_json_items(L, value, schema ? schema->parts().of.get() : nullptr);
  if (value.is_object()) {
    const Schema* record = schema;
    if (kind == Kind::tagged) {
      record = schema->find(value.at(schema->tag_field()).get_ref<const std::string&>());
    }
    lua_createtable(L, 0, static_cast<int>(value.size()));
    for (const auto& [key, item] : value.items()) {
      const Schema* of = nullptr;
      if (record && record->kind() == Kind::record) of = record->find(key);
      if (kind == Kind::map) of = schema->parts().of.get();
      lua_pushlstring(L, key.data(), key.size());
      push_json_value(L, item, of);
      lua_rawset(L, -3);
    }
    return;
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (kind == Kind::time) return push_time(L, *parse_time(text));
    if (kind == Kind::duration) {
      return lua_pushnumber(L, static_cast<double>(parse_duration(text)->count()) / 1e6);
    }
    lua_pushlstring(L, text.data(), text.size());
    return;
  }
  if (value.is_boolean()) return lua_pushboolean(L, value.get<bool>());
  if (value.is_null()) return push_null(L);
  if (kind == Kind::money) return push_money(L, *money_of_number(value.get<double>()));
  if (value.is_number_unsigned()) return push_uint64(L, value.get<std::uint64_t>());
  if (value.is_number_integer()) return push_int64(L, value.get<std::int64_t>());
  lua_pushnumber(L, value.get<double>());
}

}  // namespace

std::string unknown_tag(const Schema& tagged) {
  std::string out = "is not one of ";
  for (std::size_t i = 0; i < tagged.fields().size(); ++i) {
    out += (i ? ", \"" : "\"") + tagged.fields()[i].name + "\"";
  }
  return out;
}

void push_filled(lua_State* L, const Schema& schema) {
  const auto& scalar = schema.default_scalar();
  if (const auto* flag = std::get_if<bool>(&scalar)) return lua_pushboolean(L, *flag);
  if (const auto* number = std::get_if<double>(&scalar)) return lua_pushnumber(L, *number);
  if (const auto* text = std::get_if<std::string>(&scalar)) {
    lua_pushlstring(L, text->data(), text->size());
    return;
  }
  if (const auto* bits = std::get_if<std::int64_t>(&scalar)) {
    return schema.kind() == Kind::money ? push_money(L, *bits) : push_time(L, from_micros(*bits));
  }
  if (schema.default_value()) return push_json_value(L, *schema.default_value(), &schema);
  luaL_checkstack(L, 8, "a default is too deep");
  lua_createtable(L, 0, static_cast<int>(schema.fields().size()));
  if (schema.kind() == Kind::list) mark_list(L);
  for (const Schema::Field& field : schema.fields()) {
    if (!field.schema->fills_in()) continue;
    lua_pushlstring(L, field.name.data(), field.name.size());
    push_filled(L, *field.schema);
    lua_rawset(L, -3);
  }
}

bool push_json(lua_State* L, std::string_view json, const Schema* schema, Violations& violations,
               UnknownFields unknown) {
  // One parser a thread. Its buffers grow with the document; those of a large one are given back.
  thread_local simdjson::dom::parser parser;
  const struct Trim {
    ~Trim() {
      if (parser.capacity() > kKeptBuffer) parser = simdjson::dom::parser();
    }
  } trim{};
  element document;
  const auto error =
      parser.parse(reinterpret_cast<const std::uint8_t*>(json.data()), json.size()).get(document);
  if (error == simdjson::MEMALLOC) throw std::bad_alloc();
  if (error) {
    violations.push_back(explain_bad_json(json));
    return false;
  }
  const int base = lua_gettop(L);
  luaL_checkstack(L, 8, "a message is too deep");
  Report report(violations);
  Decoder(L, report, unknown).value(document, schema, nullptr, 0);
  if (report.clean()) return true;
  lua_settop(L, base);
  return false;
}

bool push_defaults(lua_State* L, const Schema& schema, Violations& violations) {
  if (schema.fills_in()) {
    push_filled(L, schema);
    return true;
  }
  if (schema.fields().empty() || schema.kind() != Kind::record) {
    violations.push_back({"", "has no default"});
    return false;
  }
  for (const Schema::Field& field : schema.fields()) {
    if (!field.schema->fills_in() && !field.schema->optional()) {
      violations.push_back({field.name, "has no default and is not optional"});
    }
  }
  return false;
}

}  // namespace host::script
