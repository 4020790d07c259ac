#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace host {

using Offset = std::int64_t;
using PartitionNumber = std::int32_t;

/// Unit of ownership: partition `number` of every topic that `plugin` consumes.
/// Doors, the shards without input through which HTTP handlers send, have numbers from
/// kFirstDoor up.
struct ShardRef {
  std::string plugin;
  PartitionNumber number = 0;

  auto operator<=>(const ShardRef&) const = default;
  std::string to_string() const { return plugin + "/" + std::to_string(number); }
};
inline constexpr PartitionNumber kFirstDoor = 1'000'000;

/// (epoch, seq) of a message inside its stream; ascends, also over a database restore.
struct StreamPosition {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;

  auto operator<=>(const StreamPosition&) const = default;
};

}  // namespace host
