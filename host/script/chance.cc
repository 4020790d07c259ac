#include "host/script/chance.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "host/base/check.h"

namespace host::script {
namespace {

void append_big_endian(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

Digest sha256(std::string_view text) {
  Digest digest;
  const int done =
      EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
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

Chance::Chance(std::string key, std::string label)
    : key_(std::move(key)), label_(std::move(label)) {}

std::uint64_t Chance::word() {
  if (used_ == block_.size()) {
    std::string text = label_;
    append_big_endian(text, next_block_++);
    block_ = hmac_sha256(key_, text);
    used_ = 0;
  }
  std::uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word = word << 8 | block_[used_++];
  return word;
}

double Chance::fraction() { return static_cast<double>(word() >> 11) * 0x1.0p-53; }

std::uint64_t Chance::below(std::uint64_t n) {
  const std::uint64_t skipped = (0 - n) % n;  // 2^64 mod n
  while (true) {
    const std::uint64_t value = word();
    if (value <= UINT64_MAX - skipped) return value % n;
  }
}

}  // namespace host::script
