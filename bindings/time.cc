#include "bindings/time.h"

#include <cmath>
#include <lua.hpp>

#include "host/base/time.h"
#include "host/script/lua_state.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

/// time "2026-11-21T12:00:00Z", time(1763726400): RFC 3339, or seconds since 1970.
int make_time(lua_State* L) {
  if (script::to_time(L, 1)) {
    lua_settop(L, 1);
    return 1;
  }
  if (lua_type(L, 1) == LUA_TNUMBER) {
    constexpr double kFirst = -62167219200.0, kEnd = 253402300800.0;  // years 0 to 9999
    const double seconds = lua_tonumber(L, 1);
    if (!(seconds >= kFirst && seconds < kEnd)) script::raise(L, "a time beyond the year 9999");
    script::push_time(L, from_micros(std::llround(seconds * 1e6)));
    return 1;
  }
  if (lua_type(L, 1) != LUA_TSTRING) {
    script::raise(L, std::string("time takes text like \"2026-11-21T12:00:00Z\", not a ") +
                         luaL_typename(L, 1));
  }
  const Result<Time> parsed = parse_time(lua_tostring(L, 1));
  if (!parsed) script::raise(L, parsed.error().message + " (" + parsed.error().hint + ")");
  script::push_time(L, *parsed);
  return 1;
}

}  // namespace

int open_time(lua_State* L) {
  lua_pushcfunction(L, script::guarded<make_time>);
  return 1;
}

}  // namespace host::bindings
