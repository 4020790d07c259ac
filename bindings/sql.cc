#include "bindings/sql.h"

#include <lua.hpp>

#include "bindings/module_table.h"

extern "C" const char host_embedded_sql[];
extern "C" const char host_embedded_sql_end[];

namespace host::bindings {

int open_sql(lua_State* L) {
  run_embedded(L, host_embedded_sql, host_embedded_sql_end, lua_gettop(L));
  freeze_module(L, "host.sql");
  return 1;
}

}  // namespace host::bindings
