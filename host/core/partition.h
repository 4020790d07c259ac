#pragma once

#include <cstdint>
#include <string_view>

#include "host/core/ids.h"

namespace host {

/// murmur2 as Kafka's Java client computes it (seed 0x9747b28c).
std::uint32_t murmur2(std::string_view bytes);

/// The partition of a key: murmur2 without its sign bit, modulo the partition count.
PartitionNumber partition_of(std::string_view key, PartitionNumber partitions);

/// A key is valid UTF-8 without NUL, 1 to 512 bytes. Returns the reason it is none, or "".
std::string_view key_problem(std::string_view key);

}  // namespace host
