#pragma once

#include <mutex>
#include <random>

#include "host/ports/chance.h"

namespace host::fakes {

/// Chance that repeats with its seed. Thread-safe.
class SeededChance : public ports::Chance {
 public:
  explicit SeededChance(std::uint64_t seed = 1) : random_(seed) {}

  std::string bytes(std::size_t n) override {
    std::lock_guard lock(mutex_);
    std::string out(n, '\0');
    for (char& c : out) c = static_cast<char>(random_() & 0xff);
    return out;
  }
  double fraction() override {
    std::lock_guard lock(mutex_);
    return static_cast<double>(random_() >> 11) * 0x1p-53;
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 random_;  // guarded by mutex_
};

}  // namespace host::fakes
