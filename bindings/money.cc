#include "bindings/money.h"

#include <lua.hpp>

#include "host/script/lua_state.h"
#include "host/script/values.h"

namespace host::bindings {
namespace {

/// money "2.50", money(20): an amount, exact.
int make_money(lua_State* L) {
  if (script::to_money(L, 1)) {
    lua_settop(L, 1);
    return 1;
  }
  Result<std::int64_t> minor = make_error(Error::Code::invalid, "");
  if (lua_type(L, 1) == LUA_TSTRING) {
    minor = script::parse_money(lua_tostring(L, 1));
  } else if (lua_type(L, 1) == LUA_TNUMBER) {
    minor = script::money_of_number(lua_tonumber(L, 1));
    if (!minor) script::raise(L, "the number " + minor.error().message + ": money \"2.50\"");
  } else {
    script::raise(L, std::string("money takes text like \"2.50\", not a ") + luaL_typename(L, 1));
  }
  if (!minor) script::raise(L, minor.error().message + " (" + minor.error().hint + ")");
  script::push_money(L, *minor);
  return 1;
}

}  // namespace

int open_money(lua_State* L) {
  lua_pushcfunction(L, script::guarded<make_money>);
  return 1;
}

}  // namespace host::bindings
