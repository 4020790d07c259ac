#pragma once

#include <vector>

#include "host/app/run_settings.h"
#include "host/ports/log.h"

namespace host::app {

/// Every topic that a plugin needs, with the deployment's prefix, partitions and retention: those
/// that it consumes, emits by exact name and streams, and its inbox.
std::vector<ports::TopicSettings> topics_of(const Manifest& manifest, const RunSettings& settings);

/// Error (invalid): without `auth` a route that demands a role would be served to other machines.
Result<void> check_roles(const Manifest& manifest, const RunSettings& settings);
bool demands_roles(const Manifest& manifest);

}  // namespace host::app
