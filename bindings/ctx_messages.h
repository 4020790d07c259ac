#pragma once

#include "host/core/unit_of_work.h"

struct lua_State;
namespace host::script {
class ScriptTask;
}

namespace host::bindings {

/// The arguments (ctx, topic, key, payload [, headers]) as a message, checked against `emits`.
/// Raises with what is wrong with them.
Emit read_emit(lua_State* L, script::ScriptTask& task, const char* name);

}  // namespace host::bindings
