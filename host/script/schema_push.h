#pragma once

#include <string>

#include "host/script/schema.h"

struct lua_State;

namespace host::script {

/// Pushes what a missing value is filled with. Only when schema.fills_in(). May raise.
void push_filled(lua_State* L, const Schema& schema);
/// "is not one of "A", "B"", of a tagged schema.
std::string unknown_tag(const Schema& tagged);

}  // namespace host::script
