#include "host/script/sandbox.h"

#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "host/script/call_depth.h"
#include "host/script/pattern_lib.h"
#include "host/script/values.h"

extern "C" const char host_embedded_prelude[];
extern "C" const char host_embedded_prelude_end[];

namespace host::script {
namespace {

// The whitelist. What is not named here does not exist for scripts.
constexpr std::array kBase{"assert",   "error",    "ipairs", "next",   "pairs",
                           "pcall",    "rawequal", "rawget", "select", "setmetatable",
                           "tonumber", "type",     "unpack"};
constexpr std::array kString{"byte", "char", "len", "lower", "rep", "reverse", "sub", "upper"};
constexpr std::array kTable{"concat", "insert", "maxn", "move", "remove", "sort"};
constexpr std::array kMath{"abs",   "acos", "asin",  "atan",  "atan2", "ceil",  "cos",
                           "cosh",  "deg",  "exp",   "floor", "fmod",  "frexp", "huge",
                           "ldexp", "log",  "log10", "max",   "min",   "modf",  "pi",
                           "pow",   "rad",  "sin",   "sinh",  "sqrt",  "tan",   "tanh"};
constexpr std::array kBit{"arshift", "band", "bnot", "bor",    "bswap", "bxor",
                          "lshift",  "rol",  "ror",  "rshift", "tobit", "tohex"};

struct Hint {
  const char* name;
  const char* text;
};
// What people look for, and where it is instead.
constexpr std::array kHints{
    Hint{"os", "a script has no os: the time is ctx:now()"},
    Hint{"io", "a script has no files: log with ctx.log, keep data in ctx.state or tables"},
    Hint{"math.random",
         "math.random is not there: use ctx:random(), which repeats with the message"},
    Hint{"math.randomseed", "math.randomseed is not there: use ctx:seed(...)"},
    Hint{"load", "scripts cannot compile code: put it into a module and require it"},
    Hint{"loadstring", "scripts cannot compile code: put it into a module and require it"},
    Hint{"dofile", "use require"},
    Hint{"loadfile", "use require"},
    Hint{"_G", "there is no table of globals: a script has locals and modules"},
};

const char* hint_for(std::string_view name) {
  for (const Hint& hint : kHints) {
    if (name == hint.name) return hint.text;
  }
  return nullptr;
}

std::string key_text(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TSTRING) return std::string("a ") + luaL_typename(L, index);
  return lua_tostring(L, index);
}

int undefined_global(lua_State* L) {
  const std::string name = key_text(L, 2);
  if (const char* hint = hint_for(name)) raise(L, hint);
  raise(L,
        "the global '" + name + "' is not defined (misspelled, or a local that is out of reach)");
}

int global_write(lua_State* L) {
  raise(L,
        "the global '" + key_text(L, 2) +
            "' cannot be set: a script keeps nothing between messages: use ctx.state or a local");
}

// Upvalue: the library's name.
int unknown_in_library(lua_State* L) {
  const std::string name = std::string(lua_tostring(L, lua_upvalueindex(1))) + "." + key_text(L, 2);
  if (const char* hint = hint_for(name)) raise(L, hint);
  raise(L, "there is no " + name + " for scripts");
}

int library_write(lua_State* L) {
  raise(L, std::string("the library '") + lua_tostring(L, lua_upvalueindex(1)) +
               "' is read-only: a script keeps nothing between messages");
}

int sandbox_tostring(lua_State* L) {
  luaL_checkany(L, 1);
  push_text_of(L, 1);
  return 1;
}

int sandbox_print(lua_State* L) {
  std::string line;
  const int count = lua_gettop(L);
  for (int i = 1; i <= count; ++i) {
    if (i > 1) line += '\t';
    push_text_of(L, i);
    std::size_t length = 0;
    const char* text = lua_tolstring(L, -1, &length);
    line.append(text, length);
    lua_pop(L, 1);
  }
  LuaState& state = LuaState::of(L);
  if (state.on_print) state.on_print(L, line);
  return 0;
}

int sandbox_getmetatable(lua_State* L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE || lua_getmetatable(L, 1) == 0) {
    lua_pushnil(L);
    return 1;
  }
  if (luaL_getmetafield(L, 1, "__metatable") == 0) lua_settop(L, 2);
  return 1;
}

int sandbox_rawset(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  luaL_checkany(L, 3);
  lua_settop(L, 3);
  const bool closed = !is_marked_list(L, 1) && luaL_getmetafield(L, 1, "__metatable") != 0;
  if (closed) raise(L, "this table is read-only");
  lua_rawset(L, 1);
  return 1;
}

bool asks_for_address(std::string_view format) {
  for (std::size_t i = format.find('%'); i != std::string_view::npos; i = format.find('%', i)) {
    i = format.find_first_not_of("-+ #.0123456789", i + 1);
    if (i == std::string_view::npos) return false;
    if (format[i] == 'p') return true;
    ++i;
  }
  return false;
}

// Upvalue: Lua's own format.
int sandbox_format(lua_State* L) {
  std::size_t length = 0;
  const char* format = luaL_checklstring(L, 1, &length);
  if (asks_for_address({format, length})) raise(L, "'%p' is not there: addresses are hidden");
  const int count = lua_gettop(L);
  luaL_checkstack(L, 4, "format");
  for (int i = 2; i <= count; ++i) {
    switch (lua_type(L, i)) {
      case LUA_TNIL:
      case LUA_TBOOLEAN:
      case LUA_TNUMBER:
      case LUA_TSTRING:
        break;
      default:
        push_text_of(L, i);
        lua_replace(L, i);
    }
  }
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, count, 1);
  return 1;
}

// Upvalue: the script's handler. While the watchdog ends the turn no more script code runs, or an
// endless handler would run for each of the errors that end it.
int call_handler(lua_State* L) {
  if (LuaState::of(L).stopping()) {
    lua_settop(L, 1);
    return 1;
  }
  const CallDepth depth(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

int guard_handler(lua_State* L) {
  if (lua_type(L, 1) != LUA_TFUNCTION) raise(L, "xpcall needs a function as its handler");
  lua_settop(L, 1);
  lua_pushcclosure(L, guarded<call_handler>, 1);
  return 1;
}

int raise_text(lua_State* L) { raise(L, luaL_checkstring(L, 1)); }

template <std::size_t N>
void copy(lua_State* L, int from, int to, const std::array<const char*, N>& names) {
  for (const char* name : names) {
    lua_getfield(L, from, name);
    lua_setfield(L, to, name);
  }
}

void set_function(lua_State* L, int table, const char* name, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_setfield(L, table, name);
}

// The table on top becomes the library `name` of the environment: scripts get an empty table that
// reads through to it and cannot be written.
void publish(lua_State* L, int env, const char* name) {
  lua_createtable(L, 0, 1);  // of the hidden table: unknown names
  lua_pushstring(L, name);
  lua_pushcclosure(L, guarded<unknown_in_library>, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);

  lua_newtable(L);           // the one that scripts see
  lua_createtable(L, 0, 3);  // its metatable
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_pushcclosure(L, guarded<library_write>, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_setfield(L, env, name);
  lua_pop(L, 1);
}

template <std::size_t N>
void publish_copy(lua_State* L, int env, const char* name,
                  const std::array<const char*, N>& names) {
  lua_getglobal(L, name);
  lua_newtable(L);
  copy(L, lua_gettop(L) - 1, lua_gettop(L), names);
  lua_remove(L, -2);
  publish(L, env, name);
}

// Pushes the reduced string library.
void push_strings(lua_State* L) {
  lua_getglobal(L, "string");
  const int original = lua_gettop(L);
  lua_newtable(L);
  const int strings = lua_gettop(L);
  copy(L, original, strings, kString);
  set_function(L, strings, "find", guarded<lua_find>);
  set_function(L, strings, "match", guarded<lua_match>);
  set_function(L, strings, "gmatch", guarded<lua_gmatch>);
  set_function(L, strings, "gsub", guarded<lua_gsub>);
  lua_getfield(L, original, "format");
  lua_pushcclosure(L, guarded<sandbox_format>, 1);
  lua_setfield(L, strings, "format");
  lua_remove(L, original);
}

void open_strings(lua_State* L, int env) {
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  push_strings(L);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
  push_strings(L);
  publish(L, env, "string");
}

constexpr const char* kRawResume = "host.raw_resume";

void open_prelude(lua_State* L, int env) {
  const auto size = static_cast<std::size_t>(host_embedded_prelude_end - host_embedded_prelude);
  if (luaL_loadbuffer(L, host_embedded_prelude, size, kHostChunk) != 0) lua_error(L);
  push_host_mark(L);
  lua_getglobal(L, "coroutine");
  lua_getglobal(L, "xpcall");
  lua_pushcfunction(L, guarded<guard_handler>);
  lua_pushcfunction(L, guarded<raise_text>);
  lua_getglobal(L, "error");
  lua_getglobal(L, "type");
  lua_getglobal(L, "setmetatable");
  lua_call(L, 8, 3);
  lua_setfield(L, LUA_REGISTRYINDEX, kRawResume);
  lua_setfield(L, env, "xpcall");
  publish(L, env, "coroutine");
}

void close_globals(lua_State* L, int env) {
  lua_createtable(L, 0, 3);
  set_function(L, -2, "__index", guarded<undefined_global>);
  set_function(L, -2, "__newindex", guarded<global_write>);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, env);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_pushvalue(L, env);
  lua_replace(L, LUA_GLOBALSINDEX);
}

}  // namespace

void* host_mark() {
  static char mark;
  return &mark;
}

void push_host_mark(lua_State* L) { lua_pushlightuserdata(L, host_mark()); }

bool is_host_mark(lua_State* L, int index) {
  return lua_islightuserdata(L, index) && lua_touserdata(L, index) == host_mark();
}

void push_raw_resume(lua_State* L) { lua_getfield(L, LUA_REGISTRYINDEX, kRawResume); }

void push_text_of(lua_State* L, int index) {
  if (index < 0) index = lua_gettop(L) + index + 1;
  luaL_checkstack(L, 4, "tostring");
  const CallDepth depth(L);
  if (luaL_callmeta(L, index, "__tostring") != 0) {
    if (lua_isstring(L, -1) == 0) raise(L, "'__tostring' must return a string");
    return;
  }
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      lua_pushliteral(L, "nil");
      break;
    case LUA_TBOOLEAN:
      lua_pushstring(L, lua_toboolean(L, index) != 0 ? "true" : "false");
      break;
    case LUA_TNUMBER:
    case LUA_TSTRING:
      lua_pushvalue(L, index);
      lua_tolstring(L, -1, nullptr);
      break;
    case LUA_TLIGHTUSERDATA:
      lua_pushstring(L, lua_touserdata(L, index) ? "userdata" : "null");
      break;
    default:
      lua_pushstring(L, luaL_typename(L, index));
  }
}

Result<void> open_sandbox(LuaState& state) {
  lua_State* L = state.get();
  // Room first: what is pushed outside of a protected call must not allocate.
  int ref = LUA_NOREF;
  auto opened = state.protect([&ref](lua_State* inner) {
    lua_newtable(inner);
    const int env = lua_gettop(inner);
    copy(inner, LUA_GLOBALSINDEX, env, kBase);
    set_function(inner, env, "tostring", guarded<sandbox_tostring>);
    set_function(inner, env, "print", guarded<sandbox_print>);
    set_function(inner, env, "getmetatable", guarded<sandbox_getmetatable>);
    set_function(inner, env, "rawset", guarded<sandbox_rawset>);
    open_strings(inner, env);
    publish_copy(inner, env, "table", kTable);
    publish_copy(inner, env, "math", kMath);
    publish_copy(inner, env, "bit", kBit);
    open_prelude(inner, env);
    close_globals(inner, env);
    lua_pushvalue(inner, env);
    ref = luaL_ref(inner, LUA_REGISTRYINDEX);
  });
  if (!opened) return opened;
  lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
  return {};
}

}  // namespace host::script
