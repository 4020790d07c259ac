#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "host/base/result.h"

namespace host::script {

/// Runs a Lua text that returns plain data (a deployment file): in a throw-away sandbox without
/// `require`, JIT off, 1 s and 64 MB. A list becomes an array, `{}` an object. Errors: invalid or
/// script_error, with file and line, when it does not compile, raises, or returns something else
/// than a table of texts, numbers, booleans and tables. Needs a Watchdog in the process.
Result<nlohmann::json> load_data(const std::string& file, const std::string& text);

}  // namespace host::script
