#include <nlohmann/json.hpp>

#include "host/script/schema.h"
#include "host/script/values.h"

namespace host::script {
namespace {

using nlohmann::json;
using Kind = Schema::Kind;

/// Whole numbers without ".0".
json number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? json(whole) : json(value);
}

void put_range(const Schema::Parts& parts, const char* min, const char* max, json& out) {
  if (parts.min) out[min] = number(*parts.min);
  if (parts.max) out[max] = number(*parts.max);
}

json scalar(const Scalar& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* n = std::get_if<double>(&value)) return number(*n);
  return std::get<std::string>(value);
}

/// A Lua pattern as a regular expression; "" where there is none with the same meaning.
std::string expression_of(std::string_view pattern) {
  std::string out;
  bool in_set = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '%') {
      if (++i == pattern.size()) return {};
      constexpr std::string_view kLetters = "dawslux";
      constexpr std::string_view kSets[] = {"0-9", "A-Za-z", "A-Za-z0-9", "\\s",
                                            "a-z", "A-Z",    "A-Fa-f0-9"};
      const std::size_t letter = kLetters.find(pattern[i]);
      if (letter != std::string_view::npos) {
        out += in_set ? std::string(kSets[letter]) : "[" + std::string(kSets[letter]) + "]";
      } else if ((pattern[i] >= '0' && pattern[i] <= '9') || (pattern[i] | 32) >= 'a') {
        return {};  // %b, %f, %1, complements
      } else {
        out += std::string("\\") + pattern[i];
      }
    } else if (c == '[' && !in_set) {
      in_set = true;
      out += c;
    } else if (c == ']' && in_set) {
      in_set = false;
      out += c;
    } else if (c == '-' && !in_set) {
      out += "*?";
    } else if ((c == '{' || c == '}' || c == '|' || c == '\\') && !in_set) {
      out += std::string("\\") + c;
    } else {
      out += c;
    }
  }
  return out;
}

json string_schema(const Schema::Parts& parts) {
  json out = {{"type", "string"}};
  put_range(parts, "minLength", "maxLength", out);
  const std::string expression = expression_of(parts.pattern);
  if (!expression.empty()) out["pattern"] = expression;
  return out;
}

json money_schema(const Schema::Parts& parts) {
  json out = {{"type", "number"}, {"multipleOf", 0.01}};
  if (parts.min) out["minimum"] = *parts.min / 100;
  if (parts.max) out["maximum"] = *parts.max / 100;
  return out;
}

/// Its limits are no words of JSON Schema; those of a widely used validator name them.
json time_schema(const Schema::Parts& parts) {
  const auto text = [](double micros) {
    return format_time(from_micros(static_cast<std::int64_t>(micros)));
  };
  json out = {{"type", "string"}, {"format", "date-time"}};
  if (parts.min) out["formatMinimum"] = text(*parts.min);
  if (parts.max) out["formatMaximum"] = text(*parts.max);
  return out;
}

/// The limits are in seconds, and hold for "1m" as for 60.
json duration_schema(const Schema::Parts& parts) {
  json out = {{"type", json::array({"string", "number"})},
              {"format", "duration"},
              {"pattern", "^[0-9.]+(us|ms|s|m|h|d)?$"},
              {"minimum", number(parts.min.value_or(0))},
              {"examples", json::array({"20s"})}};
  if (parts.max) out["maximum"] = number(*parts.max);
  return out;
}

json record_schema(const Schema& schema) {
  json out = {{"type", "object"}, {"properties", json::object()}};
  json required = json::array();
  for (const Schema::Field& field : schema.fields()) {
    out["properties"][field.name] = field.schema->json_schema();
    if (!field.schema->optional() && !field.schema->fills_in()) required.push_back(field.name);
  }
  if (!required.empty()) out["required"] = required;
  return out;
}

json tagged_schema(const Schema& schema) {
  json variants = json::array();
  for (const Schema::Field& variant : schema.fields()) {
    json one = variant.schema->json_schema();
    one["title"] = variant.name;
    variants.push_back(one);
  }
  return {{"oneOf", variants}, {"discriminator", {{"propertyName", schema.tag_field()}}}};
}

json shape(const Schema& schema) {
  const Schema::Parts& parts = schema.parts();
  json out;
  switch (schema.kind()) {
    case Kind::any:
      return json::object();
    case Kind::string:
      return string_schema(parts);
    case Kind::integer:
    case Kind::number:
      out["type"] = schema.kind() == Kind::integer ? "integer" : "number";
      put_range(parts, "minimum", "maximum", out);
      return out;
    case Kind::boolean:
      return {{"type", "boolean"}};
    case Kind::money:
      return money_schema(parts);
    case Kind::time:
      return time_schema(parts);
    case Kind::duration:
      return duration_schema(parts);
    case Kind::url:
      return {{"type", "string"}, {"format", "uri"}};
    case Kind::one_of:
      for (const Scalar& value : parts.values) out["enum"].push_back(scalar(value));
      return out;
    case Kind::tagged:
      return tagged_schema(schema);
    case Kind::lines:  // of one of them
      return parts.of->json_schema();
    case Kind::list:
      out = {{"type", "array"}, {"items", parts.of ? parts.of->json_schema() : json::object()}};
      put_range(parts, "minItems", "maxItems", out);
      return out;
    case Kind::map:
      out = {{"type", "object"},
             {"additionalProperties", parts.of ? parts.of->json_schema() : json::object()}};
      put_range(parts, "minProperties", "maxProperties", out);
      return out;
    case Kind::record:
      return record_schema(schema);
  }
  return out;
}

}  // namespace

json Schema::json_schema() const {
  json out = shape(*this);
  if (!parts_.doc.empty()) out["description"] = parts_.doc;
  if (default_value_) out["default"] = *default_value_;
  if (parts_.secret) out["writeOnly"] = true;
  return out;
}

}  // namespace host::script
