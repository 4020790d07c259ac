#pragma once

#include "host/ports/metrics.h"

namespace host::app {

/// Says of every metric of the host what it is. docs/metrics.md has the same list; a test holds the
/// two and a running host together.
void describe_metrics(ports::Metrics& metrics);

}  // namespace host::app
