#pragma once

#include "host/base/time.h"

namespace host::ports {

/// The wall clock. Virtual in tests. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

}  // namespace host::ports
