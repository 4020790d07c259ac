#include "host/script/schema.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/base/check.h"
#include "host/script/values.h"

namespace host::script {

using nlohmann::json;

namespace {

bool by_name(const Schema::Field& a, const Schema::Field& b) { return a.name < b.name; }

void append_filled_record(const std::vector<Schema::Field>& fields, std::string& out) {
  out = "{";
  for (const Schema::Field& field : fields) {
    const Schema& schema = *field.schema;
    if (!schema.fills_in()) {
      if (schema.optional()) continue;
      out.clear();  // a field that must be there: the record cannot be filled in
      return;
    }
    if (out.size() > 1) out += ",";
    out += field.key_json + schema.filled_json();
  }
  out += "}";
}

}  // namespace

SchemaPtr Schema::make(Parts parts) { return std::make_shared<const Schema>(std::move(parts)); }

Schema::Schema(Parts parts) : parts_(std::move(parts)) {
  std::sort(parts_.fields.begin(), parts_.fields.end(), by_name);
  for (Field& field : parts_.fields) field.key_json = json(field.name).dump() + ":";
  for (const Field& field : parts_.fields) depth_ = std::max(depth_, field.schema->depth_ + 1);
  if (parts_.of) depth_ = std::max(depth_, parts_.of->depth_ + 1);
  work_out_defaults();
}

Schema::~Schema() = default;

void Schema::work_out_defaults() {
  if (!parts_.default_json.empty()) {
    filled_json_ = parts_.default_json;
    default_value_ = std::make_unique<json>(json::parse(parts_.default_json));
    const json& value = *default_value_;
    if (kind() == Kind::money) {
      default_scalar_ = *parse_money(parts_.default_json);
    } else if (kind() == Kind::time) {
      default_scalar_ = to_micros(*parse_time(value.get<std::string>()));
    } else if (kind() == Kind::duration) {
      default_scalar_ =
          static_cast<double>(parse_duration(value.get<std::string>())->count()) / 1e6;
    } else if (value.is_string()) {
      default_scalar_ = value.get<std::string>();
    } else if (value.is_boolean()) {
      default_scalar_ = value.get<bool>();
    } else if (value.is_number()) {
      default_scalar_ = value.get<double>();
    }
    return;
  }
  if (optional()) return;
  if (kind() == Kind::map) filled_json_ = "{}";
  if (kind() == Kind::list) filled_json_ = "[]";
  if (kind() == Kind::record) append_filled_record(parts_.fields, filled_json_);
}

std::string Schema::excess() const {
  const auto is_lines = [](const Schema& schema) { return schema.kind() == Kind::lines; };
  bool lines_inside = parts_.of && is_lines(*parts_.of);
  for (const Field& field : parts_.fields) lines_inside = lines_inside || is_lines(*field.schema);
  if (lines_inside) return "spec.lines is a whole body, it cannot be inside of another schema";
  if (depth_ > 64) return "a schema is nested too deep: 64 levels at most";
  if (filled_json_.size() > 256u << 10) return "the defaults of a schema are above 256 KiB";
  return {};
}

std::size_t Schema::index_of(std::string_view name, std::size_t guess) const {
  const std::vector<Field>& all = parts_.fields;
  if (guess < all.size() && all[guess].name == name) return guess;
  // Few names are told apart by their lengths sooner than by halving.
  constexpr std::size_t kFew = 16;
  if (all.size() <= kFew) {
    std::size_t i = 0;
    while (i < all.size() && (all[i].name.size() != name.size() || all[i].name != name)) ++i;
    return i;
  }
  const auto found = std::lower_bound(
      all.begin(), all.end(), name,
      [](const Field& field, std::string_view wanted) { return field.name < wanted; });
  if (found == all.end() || found->name != name) return all.size();
  return static_cast<std::size_t>(found - all.begin());
}

const Schema* Schema::find(std::string_view name) const {
  const std::size_t index = index_of(name, 0);
  return index < parts_.fields.size() ? parts_.fields[index].schema.get() : nullptr;
}

std::string Schema::describe() const {
  switch (kind()) {
    case Kind::any:
      return "any value";
    case Kind::string:
      return "text";
    case Kind::integer:
      return "a whole number";
    case Kind::number:
      return "a number";
    case Kind::boolean:
      return "true or false";
    case Kind::money:
      return "money like 2.50";
    case Kind::time:
      return "a time like \"2026-11-21T12:00:00Z\"";
    case Kind::duration:
      return "a duration like \"20s\" or a number of seconds";
    case Kind::url:
      return "a URL";
    case Kind::one_of:
      return "one of its values";
    case Kind::tagged:
      return "a record with the tag \"" + parts_.tag_field + "\"";
    case Kind::lines:
      return "lines of JSON";
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::record:
      return "a record";
  }
  return {};
}

const char* to_string(Schema::Kind kind) {
  constexpr const char* kNames[] = {"any",    "string", "int",      "number", "bool",
                                    "money",  "time",   "duration", "url",    "one_of",
                                    "tagged", "list",   "map",      "record", "lines"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace host::script
