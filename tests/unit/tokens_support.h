#pragma once

#include <string>
#include <string_view>

#include "host/base/digest.h"

namespace host::tokens {

inline std::string encode_base64url(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += kDigits[held >> (bits - 6) & 63];
  }
  if (bits > 0) out += kDigits[held << (6 - bits) & 63];
  return out;
}

/// A token with this header and these claims, signed as HS256 does.
inline std::string sign(std::string_view secret, std::string_view claims,
                        std::string_view header = R"({"alg":"HS256","typ":"JWT"})") {
  const std::string text = encode_base64url(header) + "." + encode_base64url(claims);
  return text + "." + encode_base64url(bytes_of(hmac_sha256(secret, text)));
}

}  // namespace host::tokens
