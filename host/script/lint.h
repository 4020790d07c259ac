#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/core/manifest.h"
#include "host/script/loader.h"

namespace host::script {

/// Syntax errors, and globals that are read or written without being there, of one Lua source.
/// `globals` are the names that scripts have. Reads bytecode, runs nothing of it. Thread-safe.
Problems lint_source(const std::string& path, std::string_view text,
                     const std::vector<std::string>& globals);

/// What `host check` finds: every plugin is loaded in a throw-away state (64 MB, no JIT, 1 s where
/// a Watchdog lives), every source that it read is linted, and plugins are held against each other.
/// Ordered by file and line, each problem once. Empty: all is well. Thread-safe.
Problems check_plugins(const std::vector<LoadRequest>& plugins, const NativeModules& modules);

/// What is wrong between plugins of one process: equal names, routes that match the same requests.
Problems check_together(const std::vector<const Manifest*>& plugins);

}  // namespace host::script
