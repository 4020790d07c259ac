// SHA256_*: the EVP interface sets all of OpenSSL up for it, and every host hashes its scripts: 1.8
// MB of resident memory (OpenSSL 3.0, November 2026).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "host/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "host/base/check.h"

namespace host {

Digest sha256(std::string_view text) {
  Digest digest;
  SHA256_CTX context;
  const int done = SHA256_Init(&context) & SHA256_Update(&context, text.data(), text.size()) &
                   SHA256_Final(digest.data(), &context);
  HOST_CHECK(done == 1, "SHA-256 is always there");
  return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view text) {
  Digest digest;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                          digest.data(), nullptr);
  HOST_CHECK(done != nullptr, "HMAC-SHA-256 is always there");
  return digest;
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(const unsigned char* bytes, std::size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * count);
  for (std::size_t i = 0; i < count; ++i) {
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 15]);
  }
  return text;
}

}  // namespace host
