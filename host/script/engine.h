#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/ports/logger.h"
#include "host/ports/metrics.h"
#include "host/ports/script_engine.h"
#include "host/script/lua_state.h"
#include "host/script/plugin_table.h"

namespace host::script {

class ScriptTask;

struct EngineOptions {
  std::size_t memory_cap = 128u << 20;  // bytes of one Lua state
  std::size_t max_running = 1000;       // coroutines
  bool jit = true;
};

/// Where the scripts' own log lines and measures go.
struct ScriptServices {
  ports::Logger& logger;
  ports::Metrics& metrics;
};

/// Pushes the one ctx of a state, after LuaState::owner was set. bindings/ctx.h has it.
using OpenCtx = lua_CFunction;

/// ports::Engine on one Lua state. All handlers share one ctx object: it always speaks of the
/// message whose turn it is, which costs nothing to make and can never be another's.
/// On its lane only.
class ScriptEngine final : public ports::Engine {
 public:
  ScriptEngine(std::unique_ptr<LuaState> state, PluginTable table, ScriptServices services,
               EngineOptions options);
  ~ScriptEngine() override;

  /// Makes ctx; once, before the first start().
  Result<void> open_ctx(OpenCtx open);

  const Manifest& manifest() const override { return table_.manifest; }
  bool admits() const override;
  Started start(ports::Call&& call) override;
  Result<Inspected> inspect(const Manifest::Subscription& subscription,
                            const std::string& payload) override;
  std::size_t memory_bytes() const override { return state_->memory_bytes(); }
  bool broken() const override { return broken_; }

  // For the bindings and the task.

  /// The engine of the state that calls a binding.
  static ScriptEngine& of(lua_State* L);
  /// Whose turn it is; raises outside of one.
  static ScriptTask& task_of(lua_State* L);

  LuaState& state() { return *state_; }
  const PluginTable& table() const { return table_; }
  const ScriptServices& services() const { return services_; }
  bool is_ctx(lua_State* L, int index) const { return lua_topointer(L, index) == ctx_address_; }
  std::size_t running() const { return running_; }
  /// Whether its memory is above the share of the cap where no new coroutine begins.
  bool crowded() const;
  /// Lua shortens long names of files to "...their/end.lua": the whole name of a known one.
  void complete_file(std::string& file) const;
  /// `text` with every secret of the configuration as ***.
  std::string masked(std::string text) const;

 private:
  friend class ScriptTask;

  struct Coroutine {
    lua_State* L = nullptr;
    LuaRef ref = kNoRef;
  };
  /// Runs protected.
  Coroutine take_coroutine(lua_State* L);
  void give_back(Coroutine coroutine);
  void drop(Coroutine coroutine);

  std::unique_ptr<LuaState> state_;
  PluginTable table_;
  ScriptServices services_;
  EngineOptions options_;
  LuaRef ctx_ = kNoRef;
  const void* ctx_address_ = nullptr;
  LuaRef request_metatable_ = kNoRef;
  std::vector<Coroutine> pool_;
  ScriptTask* current_ = nullptr;
  std::size_t running_ = 0;
  bool broken_ = false;
  std::string default_state_;  // encoded; what changes nothing when nobody stored a state yet
};

}  // namespace host::script
