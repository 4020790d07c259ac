#pragma once

#include <string>

#include "host/script/schema.h"

struct lua_State;

namespace host::bindings {

/// Reads the options table at `index` (default, optional, doc, secret, and what the kind takes:
/// min, max, pattern) into `parts`. Unknown and contradicting ones raise with the script's line.
/// `skip_items`: the table also holds values 1..n (one_of), which are not options.
void read_options(lua_State* L, int index, script::Schema::Parts& parts, bool skip_items = false);

}  // namespace host::bindings
