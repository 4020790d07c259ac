#include "host/adapters/telemetry/log_line.h"

#include <algorithm>
#include <cstdio>

#include "host/base/utf8.h"
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

/// U+0080 to U+009F: terminals take some of them for commands that need no escape character.
bool is_c1(std::string_view text, std::size_t at) {
  return text[at] == '\xC2' && at + 1 < text.size() && (text[at + 1] & 0xE0) == 0x80;
}

/// The character at `at`, escaped where it commands a terminal or is no UTF-8. Its length.
std::size_t append_harmless(std::string& out, std::string_view text, std::size_t at) {
  const std::size_t valid = utf8_length(text, at);
  const std::size_t length = std::max<std::size_t>(valid, 1);
  const bool harmless = valid > 0 && !is_control(text[at]) && !is_c1(text, at);
  for (std::size_t i = at; i < at + length; ++i) {
    harmless ? out.push_back(text[i]) : append_escaped(out, text[i]);
  }
  return length;
}

void append_value(std::string& out, std::string_view value) {
  std::string shown;
  for (std::size_t at = 0; at < value.size();) {
    const char c = value[at];
    if (c == '"' || c == '\\' || c == '\n') {
      shown += '\\';
      shown += c == '\n' ? 'n' : c;
      ++at;
    } else {
      at += append_harmless(shown, value, at);
    }
  }
  const bool plain = !shown.empty() && shown.find_first_of(" \"=\\") == std::string::npos;
  out += plain ? shown : '"' + shown + '"';
}

/// json_quote() lets DEL and C1 through.
std::string quote(std::string_view text) {
  const std::string quoted = json_quote(text);
  std::string out;
  for (std::size_t at = 0; at < quoted.size(); ++at) {
    const bool c1 = is_c1(quoted, at);
    if (c1 || quoted[at] == '\x7F') {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", quoted[at + (c1 ? 1 : 0)] & 0xFF);
      out += escape;
      at += c1 ? 1 : 0;
    } else {
      out += quoted[at];
    }
  }
  return out;
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
                    "\",\"message\":" + quote(text);
  std::vector<std::string> names{"time", "level", "message"};
  for (const auto& [name, value] : fields) {
    std::string free_name = name;
    while (std::find(names.begin(), names.end(), free_name) != names.end()) free_name += '_';
    out += ',' + quote(free_name) + ':' + quote(value);
    names.push_back(std::move(free_name));
  }
  return out + '}';
}

std::string readable_text(std::string_view text, const ports::LogFields& fields) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\n') {
      out += "\n    ";
      ++at;
    } else if (text[at] == '\t') {
      out += '\t';
      ++at;
    } else {
      at += append_harmless(out, text, at);
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
