#pragma once

#include <string>
#include <string_view>

namespace host::postgres {

/// The schema with what all plugins have in common. No plugin's schema is named so.
inline constexpr const char* kCommonSchema = "host";

/// As an identifier of a statement's text: in quotes, quotes doubled.
inline std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}
/// As a literal of a statement's text.
inline std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out += '\'';
}

/// The schema of a plugin: the host's tables of its shards, which begin with "host_", and its own.
inline std::string schema_name(const std::string& plugin) { return "plugin_" + plugin; }
inline std::string schema_of(const std::string& plugin) {
  return postgres::quoted(schema_name(plugin));  // not std::quoted
}

}  // namespace host::postgres
