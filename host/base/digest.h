#pragma once

#include <array>
#include <string>
#include <string_view>

namespace host {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view text);
Digest hmac_sha256(std::string_view key, std::string_view text);
/// Takes as long for any two texts of one length. False for different lengths.
bool same_bytes(std::string_view a, std::string_view b);
/// Two lower-case digits a byte.
std::string to_hex(const unsigned char* bytes, std::size_t count);

inline std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace host
