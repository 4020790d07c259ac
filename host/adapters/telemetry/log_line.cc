#include "host/adapters/telemetry/log_line.h"

#include <algorithm>

#include "host/core/http.h"

namespace host::telemetry {
namespace {

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

void append_escaped(std::string& out, char c) {
  constexpr const char* kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

bool needs_quotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
           return is_control(c) || c == ' ' || c == '"' || c == '=' || c == '\\';
         });
}

void append_value(std::string& out, std::string_view value) {
  if (!needs_quotes(value)) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      append_escaped(out, c);
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

const char* level_name(ports::LogLevel level) {
  switch (level) {
    case ports::LogLevel::debug:
      return "debug";
    case ports::LogLevel::info:
      return "info";
    case ports::LogLevel::warn:
      return "warn";
    case ports::LogLevel::error:
      break;
  }
  return "error";
}

std::string json_line(Time at, ports::LogLevel level, std::string_view text,
                      const ports::LogFields& fields) {
  std::string out = "{\"time\":\"" + format_time(at) + "\",\"level\":\"" + level_name(level) +
                    "\",\"message\":" + json_quote(text);
  std::vector<std::string> names{"time", "level", "message"};
  for (const auto& [name, value] : fields) {
    std::string free_name = name;
    while (std::find(names.begin(), names.end(), free_name) != names.end()) free_name += '_';
    out += ',' + json_quote(free_name) + ':' + json_quote(value);
    names.push_back(std::move(free_name));
  }
  return out + '}';
}

std::string readable_text(std::string_view text, const ports::LogFields& fields) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\n    ";
    } else if (is_control(c) && c != '\t') {
      append_escaped(out, c);
    } else {
      out += c;
    }
  }
  for (const auto& [name, value] : fields) {
    out += ' ';
    append_value(out, name);
    out += '=';
    append_value(out, value);
  }
  return out;
}

}  // namespace host::telemetry
