#include "host/script/loader_require.h"

#include <algorithm>
#include <lua.hpp>

#include "host/script/lua_state.h"
#include "host/script/schema_check.h"

namespace host::script {
namespace {

/// The modules that are being loaded, also when one of them raises.
class Entered {
 public:
  Entered(std::vector<std::string>& names, const std::string& name) : names_(names) {
    names_.push_back(name);
  }
  ~Entered() { names_.pop_back(); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  std::vector<std::string>& names_;
};

}  // namespace

void Requirer::open(lua_State* L) {
  lua_newtable(L);
  loaded_ = luaL_ref(L, LUA_REGISTRYINDEX);
  box_ = static_cast<Requirer**>(lua_newuserdata(L, sizeof(Requirer*)));
  *box_ = this;
  lua_rawgeti(L, LUA_REGISTRYINDEX, loaded_);
  lua_pushcclosure(L, guarded<called>, 2);
  lua_pushvalue(L, -1);
  function_ = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushliteral(L, "require");
  lua_insert(L, -2);
  lua_rawset(L, LUA_GLOBALSINDEX);
}

void Requirer::push_function(lua_State* L) const { lua_rawgeti(L, LUA_REGISTRYINDEX, function_); }

void Requirer::close() {
  if (box_) *box_ = nullptr;
}

int Requirer::called(lua_State* L) {
  if (lua_type(L, 1) != LUA_TSTRING) raise(L, "require takes the name of a module");
  const std::string name = lua_tostring(L, 1);
  auto* self = *static_cast<Requirer**>(lua_touserdata(L, lua_upvalueindex(1)));
  if (self) {
    self->require(L, name);
    return 1;
  }
  lua_pushvalue(L, 1);
  lua_rawget(L, lua_upvalueindex(2));
  if (!lua_isnil(L, -1)) return 1;
  raise(L, "the module \"" + name +
               "\" is required while a message is handled: require it at the top of the file");
}

void Requirer::push_loaded(lua_State* L, const std::string& name) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, loaded_);
  lua_getfield(L, -1, name.c_str());
  lua_remove(L, -2);
}

bool Requirer::push_native(lua_State* L, const std::string& name) {
  for (const NativeModule& module : natives_) {
    if (name != module.name) continue;
    lua_pushcfunction(L, module.open);
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    return true;
  }
  return false;
}

void Requirer::unknown(lua_State* L, const std::string& name) {
  std::vector<std::string_view> names;
  for (const NativeModule& module : natives_) names.emplace_back(module.name);
  const std::string near = nearest(name, names);
  raise(L, "there is no module \"" + name + "\"" +
               (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

void Requirer::require(lua_State* L, const std::string& name) {
  luaL_checkstack(L, 16, "modules require each other too deeply");
  push_loaded(L, name);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  if (std::find(loading_.begin(), loading_.end(), name) != loading_.end()) {
    std::string circle;
    for (const std::string& module : loading_) circle += module + " -> ";
    raise(L, "modules require each other in a circle: " + circle + name);
  }
  const Entered entered(loading_, name);
  if (!push_native(L, name)) {
    if (name == "host" || name.starts_with("host.")) unknown(L, name);
    const auto source = sources_.read_module(name);
    if (!source) raise(L, source.error().message);
    run(L, *source, name.c_str());
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushboolean(L, 1);
    }
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, loaded_);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name.c_str());
  lua_pop(L, 1);
}

void Requirer::run(lua_State* L, const Sources::Found& source, const char* argument) {
  if (source.text.starts_with("\x1b")) raise(L, source.path + " is bytecode, not Lua text");
  const std::string chunk = "@" + source.path;
  if (luaL_loadbuffer(L, source.text.data(), source.text.size(), chunk.c_str()) != 0) {
    lua_error(L);  // it names file and line
  }
  lua_pushstring(L, argument);
  lua_call(L, 1, 1);
}

}  // namespace host::script
