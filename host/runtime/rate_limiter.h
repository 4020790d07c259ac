#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "host/core/manifest.h"
#include "host/ports/chance.h"

namespace host::runtime {

/// The token buckets of all limited routes of a process; its lanes share them. A bucket is one
/// point in time, when it is full again; a full one need not be kept. Memory is fixed: kBuckets
/// of 16 bytes. When more clients than that are below their limits at once, the fullest of those
/// that share a place is forgotten, which can only let a client do more than its limit, never less.
/// Places are found by a keyed hash, so that no client can choose whose place it shares.
/// Thread-safe.
class RateLimiter {
 public:
  static constexpr std::size_t kBuckets = 65'536;

  explicit RateLimiter(ports::Chance& chance);

  struct Verdict {
    bool allowed = true;
    std::int64_t remaining = 0;  // whole requests that are left now
    Duration retry_after{};      // until the next one, when this one is refused
    Duration full_after{};       // until all of `burst` is there again
  };
  /// Takes one request out of the bucket of `key`. A refused one takes nothing.
  Verdict take(const Manifest::Limit& limit, std::string_view key, Time now);

 private:
  using Nanos = std::chrono::nanoseconds;
  static constexpr std::size_t kWays = 8;  // buckets that a key may be in
  static constexpr std::size_t kLocks = 64;
  struct Bucket {
    std::uint64_t hash = 0;
    std::int64_t full_at = 0;  // nanoseconds since 1970
  };
  using Place = std::array<Bucket, kWays>;

  static Bucket& bucket_of(Place& place, std::uint64_t hash, std::int64_t now);

  const std::array<std::uint64_t, 2> key_;
  std::array<std::mutex, kLocks> locks_;  // each guards every kLocks-th place
  std::unique_ptr<Place[]> places_;
};

}  // namespace host::runtime
