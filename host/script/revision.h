#pragma once

#include <memory>
#include <variant>

#include "host/script/engine.h"
#include "host/script/loader.h"

namespace host::script {

/// What scripts see beyond the language; the application names it, for script knows no bindings.
struct Bindings {
  const NativeModules& modules;  // bindings/modules.h
  OpenCtx open_ctx;              // bindings/ctx.h
};

/// Limits of loading, in a state that is thrown away afterwards.
inline constexpr std::size_t kLoadMemory = 64u << 20;
inline constexpr Duration kLoadTime = std::chrono::seconds(1);  // CPU time

/// Loads and checks a plugin: interpreted, in a throw-away state with limits. Every lane then makes
/// its engine from the very bytes that were checked. `services` must outlive the revision and its
/// engines. `read`, when given, gets what was read, also of a failed one. Thread-safe.
std::variant<std::shared_ptr<const ports::Revision>, Problems> load_revision(
    LoadRequest request, Bindings bindings, ScriptServices services, EngineOptions options = {},
    LoadedFiles* read = nullptr);

/// A sandbox with the values of the host, as load_plugin() wants it. Error: exhausted.
Result<std::unique_ptr<LuaState>> make_script_state(LuaState::Options options);

}  // namespace host::script
