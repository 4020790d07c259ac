#include "host/script/lua_state.h"

#include <algorithm>
#include <cstring>

#include "host/script/interrupt.h"
#include "host/script/watchdog.h"

namespace host::script {
namespace {

// Shares of the cap: where a collection is due, and what must be free after it.
constexpr double kSoftShare = 0.75;
constexpr double kFullShare = 0.90;
constexpr double kHighestSoftShare = 0.95;
// An arming can get lost in a race with the profiler: it is repeated after so much growth.
constexpr std::size_t kRearmBytes = 1u << 20;

std::size_t share(std::size_t cap, double part) {
  return static_cast<std::size_t>(static_cast<double>(cap) * part);
}

// Where a hook stopped the script: its own code, or what of it called the host's.
[[noreturn]] void raise_at(lua_State* L, lua_Debug* where, const std::string& text) {
  lua_getinfo(L, "Sl", where);
  if (where->currentline <= 0 || std::strcmp(where->source, kHostChunk) == 0) raise(L, text);
  lua_pushfstring(L, "%s:%d: %s", where->short_src, where->currentline, text.c_str());
  lua_error(L);
  __builtin_unreachable();
}

// Scripts raise the `err` of the host's functions as it is. By lua_next: nothing is allocated, no
// metamethod runs, and its two slots are always there.
std::string message_field(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return "";
  if (index < 0) index = lua_gettop(L) + 1 + index;
  std::string text;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) continue;
    if (std::strcmp(lua_tostring(L, -2), "message") == 0) text = lua_tostring(L, -1);
  }
  return text.empty() ? "" : ": " + text;
}

struct ProtectedCall {
  void (*call)(void*, lua_State*);
  void* object;
};

}  // namespace

Result<std::unique_ptr<LuaState>> LuaState::make(Options options) {
  std::unique_ptr<LuaState> state(new LuaState);
  lua_State* L = luaL_newstate();
  if (L == nullptr) return make_error(Error::Code::exhausted, "no memory for a Lua state");
  state->L_ = L;
  luaL_openlibs(L);
  state->cap_ = options.memory_cap;
  state->soft_ = share(options.memory_cap, kSoftShare);
  state->jit_ = options.jit && interrupt::method() == interrupt::Method::profile_bit;
  lua_pushcfunction(L, trampoline);
  state->trampoline_ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
  interrupt::prepare(L, options.jit, interrupted);
  // The libraries were opened with the original allocator, which cannot fail here in practice; from
  // now on every byte is counted.
  state->used_ = static_cast<std::size_t>(lua_gc(L, LUA_GCCOUNT, 0)) * 1024 +
                 static_cast<std::size_t>(lua_gc(L, LUA_GCCOUNTB, 0));
  state->inner_ = lua_getallocf(L, &state->inner_data_);
  lua_setallocf(L, allocate, state.get());
  return state;
}

LuaState& LuaState::of(lua_State* L) {
  void* self = nullptr;
  lua_getallocf(L, &self);
  return *static_cast<LuaState*>(self);
}

LuaState::~LuaState() {
  if (L_ == nullptr) return;
  lua_setallocf(L_, inner_, inner_data_);  // it frees its arena as a whole
  lua_close(L_);
}

bool LuaState::stopping() const { return turn_ != nullptr && turn_->must_stop(); }

void* LuaState::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  auto& state = *static_cast<LuaState*>(self);
  if (block == nullptr) old_size = 0;
  if (new_size > old_size) {
    const std::size_t used = state.used_ + (new_size - old_size);
    if (used > state.cap_) {
      ++state.refusals_;
      return nullptr;
    }
    if (used > state.soft_) state.over_soft_limit(used);
  }
  void* result = state.inner_(state.inner_data_, block, old_size, new_size);
  if (new_size == 0 || result != nullptr) state.used_ = state.used_ - old_size + new_size;
  return result;
}

void LuaState::over_soft_limit(std::size_t used) {
  collection_due_ = true;
  soft_ = std::min(cap_, used + kRearmBytes);
  if (jit_) interrupt::arm(L_, interrupted);
}

void LuaState::interrupted(lua_State* L, lua_Debug* where) {
  LuaState& state = of(L);
  if (state.stopping()) {
    // Not disarmed: it raises at every instruction until the host's call is left, or a pcall of
    // the script would swallow it.
    if (!state.jit_) interrupt::look_always(L, interrupted);
    raise_at(L, where, state.turn_->stop_message());
  }
  if (state.jit_) interrupt::disarm(L, interrupted);
  if (state.collection_due_) state.collect(L, where);
}

void LuaState::collect(lua_State* L, lua_Debug* where) {
  collection_due_ = false;
  lua_gc(L, LUA_GCCOLLECT, 0);
  const auto wanted = static_cast<std::size_t>(static_cast<double>(used_) * 1.25);
  soft_ = std::clamp(wanted, share(cap_, kSoftShare), share(cap_, kHighestSoftShare));
  if (used_ <= share(cap_, kFullShare)) return;
  ++refusals_;
  raise_at(L, where, "memory limit exceeded (" + std::to_string(cap_ >> 20) + " MB)");
}

int LuaState::trampoline(lua_State* L) {
  auto* call = static_cast<ProtectedCall*>(lua_touserdata(L, 1));
  lua_settop(L, 0);
  std::string what;
  try {
    call->call(call->object, L);
    return 0;
  } catch (const std::exception& e) {
    what = e.what();
  }
  raise(L, what);
}

Result<void> LuaState::run_protected(void (*call)(void*, lua_State*), void* object) {
  const int top = lua_gettop(L_);
  const std::size_t refusals = refusals_;
  ProtectedCall protected_call{call, object};
  // Neither of these allocates: LuaJIT keeps LUA_MINSTACK free slots above a C function's own.
  lua_rawgeti(L_, LUA_REGISTRYINDEX, trampoline_ref_);
  lua_pushlightuserdata(L_, &protected_call);
  const int status = lua_pcall(L_, 1, 0, 0);
  if (status == 0) return {};
  Error error = error_from(L_, -1, status);
  lua_settop(L_, top);
  // What failed for want of memory left garbage; without room the next call would fail too.
  if (refusals_ != refusals) collect_all();
  return error;
}

void LuaState::collect_all() {
  ProtectedCall collection{[](void*, lua_State* L) { lua_gc(L, LUA_GCCOLLECT, 0); }, nullptr};
  lua_rawgeti(L_, LUA_REGISTRYINDEX, trampoline_ref_);
  lua_pushlightuserdata(L_, &collection);
  if (lua_pcall(L_, 1, 0, 0) != 0) lua_pop(L_, 1);
}

Error error_from(lua_State* L, int index, int status) {
  Error error{.code = Error::Code::script_error, .message = {}};
  if (status == LUA_ERRMEM) error.code = Error::Code::exhausted;
  const char* text = nullptr;
  std::size_t length = 0;
  if (lua_type(L, index) == LUA_TSTRING) {
    text = lua_tolstring(L, index, &length);
  } else if (lua_type(L, index) == LUA_TNUMBER) {
    error.message = "the script raised the number " + std::to_string(lua_tonumber(L, index));
    return error;
  } else {
    error.message = std::string("the script raised a ") + lua_typename(L, lua_type(L, index)) +
                    " instead of a text" + message_field(L, index);
    return error;
  }
  error.message.assign(text, length);
  // "file.lua:12: what"
  for (std::size_t colon = error.message.find(':'); colon != std::string::npos;
       colon = error.message.find(':', colon + 1)) {
    std::size_t end = colon + 1;
    while (end < length && text[end] >= '0' && text[end] <= '9') ++end;
    if (end == colon + 1 || end - colon > 9 || end + 1 >= length || text[end] != ':') continue;
    if (text[end + 1] != ' ') continue;
    error.file = error.message.substr(0, colon);
    error.line = std::stoi(error.message.substr(colon + 1, end - colon - 1));
    error.message = error.message.substr(end + 2);
    break;
  }
  return error;
}

bool script_place(lua_State* L, std::string& file, int& line) {
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame) != 0; ++level) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0 || std::strcmp(frame.source, kHostChunk) == 0) continue;
    file = frame.short_src;
    line = frame.currentline;
    return true;
  }
  return false;
}

void raise(lua_State* L, const std::string& text) {
  {
    std::string file;
    int line = 0;
    luaL_checkstack(L, 4, "error");
    if (script_place(L, file, line)) {
      lua_pushfstring(L, "%s:%d: ", file.c_str(), line);
    } else {
      lua_pushliteral(L, "");
    }
    lua_pushlstring(L, text.data(), text.size());
    lua_concat(L, 2);
  }
  lua_error(L);
  __builtin_unreachable();
}

}  // namespace host::script
