#pragma once

#include <string>
#include <vector>

#include "host/app/options.h"

namespace host::app {

/// Whether a file is meant as a deployment: data alone, which names plugins and no api.
bool is_deployment(const std::string& file);

/// The parts of a call that names files of both kinds: deployments, each alone, and before them the
/// plugins, together. Each is what one run of the host would load.
std::vector<Options> parts_of(const Options& options);

}  // namespace host::app
