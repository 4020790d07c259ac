// The state of a key: read, migrated, checked and saved whole.
#include "host/script/sandbox.h"
#include "host/script/task.h"
#include "host/script/values.h"

namespace host::script {

bool ScriptTask::push_stored(lua_State* L, const ports::StateRow& row, std::string& why) {
  const PluginTable& table = engine_.table();
  const int top = lua_gettop(L);
  const int newest = table.manifest.state_version;
  Violations violations;
  if (row.version > newest) {
    why = "the state was saved by version " + std::to_string(row.version) +
          " of the state, this revision knows " + std::to_string(newest);
    return false;
  }
  const bool old = row.version < newest;
  if (!push_json(L, *row.bytes, old ? nullptr : table.state.get(), violations)) {
    why = "the stored state does not fit: " + to_string(violations);
    return false;
  }
  if (!old) return true;
  luaL_checkstack(L, 4, "migrate");
  for (int version = row.version; version < newest; ++version) {
    const auto step = table.migrate.find(version);
    if (step == table.migrate.end()) continue;
    lua_rawgeti(L, LUA_REGISTRYINDEX, step->second);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) != LUA_TTABLE) {
      why = "migrate[" + std::to_string(version) + "] returned a " + luaL_typename(L, -1) +
            " instead of the new state";
      lua_settop(L, top);
      return false;
    }
  }
  // Through the schema once: what it fills in, and whether the migration made what it says.
  std::string bytes;
  const bool fits = append_json(L, -1, table.state.get(), bytes, violations);
  lua_settop(L, top);
  if (fits && push_json(L, bytes, table.state.get(), violations)) return true;
  why = "the migrated state does not fit: " + to_string(violations);
  return false;
}

void ScriptTask::push_state(lua_State* L) {
  if (state_ != kNoRef) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, state_);
    return;
  }
  const Schema* schema = engine_.table().state.get();
  if (schema == nullptr) raise(L, "this plugin declares no state: give it `state = { ... }`");
  luaL_checkstack(L, 6, "state");
  if (call_.state != nullptr && call_.state->bytes && !forgotten_) {
    std::string why;
    if (!push_stored(L, *call_.state, why)) raise(L, why);
    if (call_.state->version == engine_.manifest().state_version) {
      state_before_ = *call_.state->bytes;
    } else {
      Violations violations;
      if (!append_json(L, -1, schema, migrated_, violations)) migrated_.clear();
      state_before_ = migrated_;
    }
  } else {
    Violations violations;
    if (!push_defaults(L, *schema, violations)) raise(L, "the state: " + to_string(violations));
    state_before_ = engine_.default_state_;
  }
  lua_pushvalue(L, -1);
  state_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void ScriptTask::set_state(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) {
    raise(L, std::string("ctx.state must be a table, not a ") + luaL_typename(L, index) +
                 " (to drop it: ctx:forget())");
  }
  push_state(L);  // so that what was there before is known
  lua_pop(L, 1);
  lua_pushvalue(L, index);
  lua_rawseti(L, LUA_REGISTRYINDEX, state_);
}

// What was changed and set before goes with it. Whoever asks for ctx.state from here on gets the
// defaults.
void ScriptTask::forget(std::optional<Time> quiet_until) {
  forgotten_ = true;
  unit_.timers.clear();
  if (state_ != kNoRef) luaL_unref(engine_.state().get(), LUA_REGISTRYINDEX, state_);
  state_ = kNoRef;
  unit_.state = StateChange{.bytes = std::nullopt, .quiet_until = quiet_until};
}

void ScriptTask::finish_state(lua_State* L, std::string& problem) {
  if (state_ == kNoRef) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, state_);
  std::string bytes;
  Violations violations;
  bytes.reserve(state_before_.size() + 64);
  if (!append_json(L, -1, engine_.table().state.get(), bytes, violations)) {
    problem = "ctx.state cannot be saved: " + to_string(violations);
    return;
  }
  if (bytes.size() > kMaxState) {
    problem = "ctx.state is too large: " + std::to_string(bytes.size()) + " bytes of at most " +
              std::to_string(kMaxState) + " (more belongs into `tables`)";
    return;
  }
  if (bytes == state_before_) return;
  if (forgotten_) {
    problem = "ctx.state was changed after ctx:forget(), which keeps nothing of it";
    return;
  }
  unit_.state = StateChange{.bytes = std::move(bytes)};
}

}  // namespace host::script
