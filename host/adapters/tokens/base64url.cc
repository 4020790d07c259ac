#include "host/adapters/tokens/base64url.h"

#include <cstdint>

namespace host::tokens {
namespace {

int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

}  // namespace

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = digit(c);
    if (value < 0) return std::nullopt;
    held = (held << 6 | static_cast<std::uint32_t>(value)) & 0xFFFF;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(held >> bits));
  }
  const std::uint32_t left_over = held & ((1u << bits) - 1);
  // Six bits that begin no byte, or bits that are not zero: two texts would mean the same bytes.
  if (bits == 6 || left_over != 0) return std::nullopt;
  return out;
}

}  // namespace host::tokens
