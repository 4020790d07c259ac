#include "host/script/json_write.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>

namespace host::script {
namespace {

/// 0: as it is; 'u': as \u00XX; else the letter behind the backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (int c = 0; c < 0x20; ++c) table[static_cast<std::size_t>(c)] = 'u';
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

void write_escape(unsigned char c, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  const char letter = kEscapes[c];
  out += '\\';
  out += letter;
  if (letter != 'u') return;
  out += "00";
  out += kHex[c >> 4];
  out += kHex[c & 15];
}

}  // namespace

bool write_string(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  out += '"';
  unsigned char seen = 0;
  const char* run = text.data();
  const char* const end = text.data() + text.size();
  for (const char* at = run; at < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    seen |= c;
    if (!kEscapes[c]) continue;
    out.append(run, at);
    write_escape(c, out);
    run = at + 1;
  }
  // Mostly plain ASCII, which needs no second look.
  if (seen >= 0x80 && !simdjson::validate_utf8(text.data(), text.size())) {
    out.resize(before);
    return false;
  }
  out.append(run, end);
  out += '"';
  return true;
}

void write_integer(std::int64_t value, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void write_number(double value, std::string& out) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value == 0 && std::signbit(value)) {
    out += "-0.0";
    return;
  }
  const bool whole = std::floor(value) == value;
  if (whole && std::abs(value) <= kExact) {
    return write_integer(static_cast<std::int64_t>(value), out);
  }
  char text[40];
  const auto end =
      whole ? std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr
            : std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

}  // namespace host::script
