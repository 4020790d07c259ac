#pragma once

#include <string>

#include "host/core/manifest.h"
#include "host/script/plugin_table.h"

namespace host::script {

/// What OpenAPI 3.1 says about one route of `plugin`: its operation object, as JSON. Problem
/// documents are references into "#/components/responses"; who makes the whole document defines
/// them, by status. The rest that "*" stands for is a
/// parameter of that name.
std::string openapi_operation(const std::string& plugin, const Manifest::Route& route,
                              const PluginTable::Route& row);

}  // namespace host::script
