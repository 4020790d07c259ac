#pragma once

#include "host/ports/chance.h"
#include "host/ports/clock.h"

namespace host::app {

/// The wall clock of the machine. Thread-safe.
class SystemClock final : public ports::Clock {
 public:
  Time now() const override;
};

/// The kernel's chance. Thread-safe.
class SystemChance final : public ports::Chance {
 public:
  std::string bytes(std::size_t n) override;
  double fraction() override;
};

}  // namespace host::app
