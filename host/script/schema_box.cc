#include "host/script/schema_box.h"

#include <lua.hpp>
#include <new>

namespace host::script {
namespace {

constexpr std::uint64_t kMagic = 0x3d90'6be1'a82c'47f5ULL;
char metatable;  // its address is the registry's key

struct Box {
  std::uint64_t magic = kMagic;
  SchemaPtr schema;
};

Box* to_box(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_objlen(L, index) != sizeof(Box)) return nullptr;
  auto* box = static_cast<Box*>(lua_touserdata(L, index));
  return box->magic == kMagic ? box : nullptr;
}

int collect(lua_State* L) {
  if (Box* box = to_box(L, 1)) box->~Box();
  return 0;
}

int describe(lua_State* L) {
  const Box* box = to_box(L, 1);
  lua_pushfstring(L, "spec.%s", box ? to_string(box->schema->kind()) : "?");
  return 1;
}

}  // namespace

void open_schema_values(lua_State* L, int (*call)(lua_State*), int (*index)(lua_State*)) {
  lua_pushlightuserdata(L, &metatable);
  lua_createtable(L, 0, 6);
  const std::pair<const char*, lua_CFunction> functions[] = {
      {"__call", call}, {"__index", index}, {"__gc", collect}, {"__tostring", describe}};
  for (const auto& [name, function] : functions) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
  }
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawset(L, LUA_REGISTRYINDEX);
}

void push_schema(lua_State* L, SchemaPtr schema) {
  // The metatable is found before the box exists: nothing may raise while it holds the schema
  // without the collector knowing.
  lua_pushlightuserdata(L, &metatable);
  lua_rawget(L, LUA_REGISTRYINDEX);
  new (lua_newuserdata(L, sizeof(Box))) Box{.schema = std::move(schema)};
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
}

SchemaPtr to_schema(lua_State* L, int index) {
  const Box* box = to_box(L, index);
  return box ? box->schema : nullptr;
}

}  // namespace host::script
