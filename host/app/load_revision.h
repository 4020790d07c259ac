#pragma once

#include "host/app/scripts.h"
#include "host/ports/logger.h"
#include "host/ports/metrics.h"

namespace host::app {

/// Loads plugins that may run here; `memory` is the cap of each of their Lua states. What it is
/// given outlives the revisions.
Scripts::Load revision_loader(std::size_t memory, ports::Logger& logger, ports::Metrics& metrics);

/// The same for `host check`: a setting that has no value is no problem of the plugin.
Scripts::Load check_loader(std::size_t memory, ports::Logger& logger, ports::Metrics& metrics);

}  // namespace host::app
