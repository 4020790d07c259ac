#include "host/core/partition.h"

#include <cstring>

#include "host/base/check.h"
#include "host/base/utf8.h"

namespace host {
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
  HOST_DCHECK(partitions > 0, "a topic without partitions");
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
