#include "bindings/list.h"

#include <lua.hpp>

#include "bindings/module_table.h"
#include "host/script/values.h"

extern "C" const char host_embedded_list[];
extern "C" const char host_embedded_list_end[];

namespace host::bindings {
namespace {

int is_list(lua_State* L) {
  lua_pushboolean(L, script::is_marked_list(L, 1) ? 1 : 0);
  return 1;
}

}  // namespace

int open_list(lua_State* L) {
  const int base = lua_gettop(L);
  script::push_list_metatable(L);
  lua_pushcfunction(L, is_list);
  run_embedded(L, host_embedded_list, host_embedded_list_end, base);
  freeze_module(L, "host.list");
  return 1;
}

}  // namespace host::bindings
