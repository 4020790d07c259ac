#pragma once

#include "host/base/executor.h"
#include "host/ports/chance.h"
#include "host/ports/clock.h"
#include "host/ports/log.h"
#include "host/ports/logger.h"
#include "host/ports/metrics.h"
#include "host/ports/static_files.h"
#include "host/ports/store.h"
#include "host/runtime/limits.h"

namespace host::runtime {

class Asks;

/// What every part of the runtime works with. Lives longer than all of them. Immutable; what it
/// refers to is thread-safe.
struct Environment {
  ports::Log& log;
  ports::Store& store;
  ports::Clock& clock;
  ports::Chance& chance;
  ports::Metrics& metrics;
  ports::Logger& logger;
  Asks& asks;
  ports::Store::Identity identity;
  std::string topic_prefix;
  Limits limits;
  bool skip_gaps = false;               // --on-gap skip
  ports::StaticFiles* files = nullptr;  // null: no route has files
};

}  // namespace host::runtime
