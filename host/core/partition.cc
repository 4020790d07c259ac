#include "host/core/partition.h"

#include <cstring>

namespace host {
namespace {

/// Length of the valid UTF-8 sequence at `at` (overlong forms and surrogates are none), or 0.
std::size_t utf8_length(std::string_view s, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const auto tail = [&](std::size_t i) { return i < s.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(at + 1) || !tail(at + 2)) return 0;
    if (first == 0xE0 && byte(at + 1) < 0xA0) return 0;
    if (first == 0xED && byte(at + 1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(at + 1) || !tail(at + 2) || !tail(at + 3)) return 0;
    if (first == 0xF0 && byte(at + 1) < 0x90) return 0;
    if (first == 0xF4 && byte(at + 1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kMix = 0x5bd1e995;
  std::uint32_t hash = 0x9747b28cU ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes.data() + at, 4);
    word *= kMix;
    word ^= word >> 24;
    word *= kMix;
    hash = hash * kMix ^ word;
  }
  if (at < bytes.size()) {
    std::uint32_t rest = 0;
    for (std::size_t i = bytes.size(); i > at; --i) {
      rest = rest << 8 | static_cast<unsigned char>(bytes[i - 1]);
    }
    hash = (hash ^ rest) * kMix;
  }
  hash = (hash ^ hash >> 13) * kMix;
  return hash ^ hash >> 15;
}

PartitionNumber partition_of(std::string_view key, PartitionNumber partitions) {
  return static_cast<PartitionNumber>(murmur2(key) & 0x7fffffffU) % partitions;
}

std::string_view key_problem(std::string_view key) {
  if (key.empty()) return "the key is empty";
  if (key.size() > 512) return "the key is longer than 512 bytes";
  for (std::size_t at = 0; at < key.size();) {
    const std::size_t length = utf8_length(key, at);
    if (length == 0) return "the key is not valid UTF-8";
    if (key[at] == '\0') return "the key contains NUL";
    at += length;
  }
  return {};
}

}  // namespace host
