#pragma once

#include <string_view>

#include "host/script/schema.h"

namespace host::script {

/// Why simdjson refused `json`, as one violation: the fast parser says neither where nor, for a
/// number that is too large, which field. Reads the text a second time. "" in `at`: no field.
Violation explain_bad_json(std::string_view json);

}  // namespace host::script
