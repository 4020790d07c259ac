#include "bindings/host.h"

#include <lua.hpp>

#include "bindings/module_table.h"
#include "host/script/values.h"

namespace host::bindings {

/// host.null: JSON's null, where nil would mean an absent field.
int open_host(lua_State* L) {
  lua_createtable(L, 0, 1);
  script::push_null(L);
  lua_setfield(L, -2, "null");
  freeze_module(L, "host");
  return 1;
}

}  // namespace host::bindings
