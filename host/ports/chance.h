#pragma once

#include <string>

namespace host::ports {

/// Chance for the host's own use: ids that nobody can guess, jitter. Seeded in tests.
/// Thread-safe.
class Chance {
 public:
  virtual ~Chance() = default;
  /// `n` bytes that nobody can foretell.
  virtual std::string bytes(std::size_t n) = 0;
  /// In [0, 1).
  virtual double fraction() = 0;
};

}  // namespace host::ports
