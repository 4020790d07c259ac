#pragma once

#include <cstddef>
#include <string>

#include "host/base/result.h"

namespace host::files {

inline constexpr std::size_t kMaxFile = 16 * 1024 * 1024;

/// The bytes of a file. Blocks. Errors name the path: not_found; invalid (a folder, or nothing that
/// has an end); exhausted (longer than kMaxFile); unavailable (no permission, input or output).
Result<std::string> read_file(const std::string& path);

}  // namespace host::files
