#pragma once

#include <chrono>
#include <cstddef>

#include "host/base/time.h"

namespace host::journal {

/// How much of a shard may be newer than its tables.
struct Bounds {
  std::size_t tail_bytes = std::size_t{8} << 20;  // of its journal rows
  Duration age = std::chrono::seconds(10);        // of its oldest entry
  /// Within the bounds: entries that a commit carries over, for a hundred that it writes.
  std::size_t share_percent = 5;
  /// At least so many of those at once: each kind of entry costs a statement, whatever their
  /// number.
  std::size_t piece = 64;
};

}  // namespace host::journal
