#pragma once

#include <cstdint>
#include <string>

#include "host/base/digest.h"

namespace host::script {

/// Repeatable chance. The algorithm is part of the API (docs name it, tests have vectors), for a
/// seed must choose the same for ever:
///   block i = HMAC-SHA256(key, label || i as 8 bytes, big endian), i = 0, 1, ...
///   word    = the next 8 bytes of the blocks, big endian
///   fraction() = (word >> 11) / 2^53
///   below(n)   = word mod n, after words >= 2^64 - (2^64 mod n) were skipped
/// ctx:random(m, n) = m + below(n - m + 1); pick = one below(#list); shuffle exchanges, from the
/// last place down to the second, place i with 1 + below(i).
/// ctx:seed(...): label "host.seed", key = SHA-256 of the values, each written as its type (n
/// number as %.17g, s text, z nil, j anything else as JSON), its length in bytes, ":" and itself.
/// Not thread-safe.
class Chance {
 public:
  Chance(std::string key, std::string label);

  std::uint64_t word();
  double fraction();                     // [0, 1)
  std::uint64_t below(std::uint64_t n);  // n > 0

 private:
  std::string key_;
  std::string label_;
  std::uint64_t next_block_ = 0;
  std::size_t used_ = sizeof(Digest);
  Digest block_{};
};

}  // namespace host::script
