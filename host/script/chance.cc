#include "host/script/chance.h"

namespace host::script {
namespace {

void append_big_endian(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

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
