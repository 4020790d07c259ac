#pragma once

#include <string>
#include <vector>

#include "host/script/loader.h"
#include "host/script/loader_sources.h"

namespace host::script {

/// `require` of one plugin in one state. While the plugin loads it reads modules; after close() it
/// only finds what is there, because everything required belongs to the revision.
/// Lives on the loader's stack; Lua keeps a box with a pointer to it, which close() empties.
class Requirer {
 public:
  Requirer(const NativeModules& natives, Sources& sources) : natives_(natives), sources_(sources) {}

  // Each may raise.
  /// Puts `require` into the globals.
  void open(lua_State* L);
  /// Pushes it.
  void push_function(lua_State* L) const;
  /// Pushes the one value of the chunk; nil when it returned nothing.
  void run(lua_State* L, const Sources::Found& source, const char* argument);
  /// Pushes the module's value.
  void require(lua_State* L, const std::string& name);

  /// Never raises.
  void close();

 private:
  static int called(lua_State* L);
  bool push_native(lua_State* L, const std::string& name);
  void push_loaded(lua_State* L, const std::string& name);
  [[noreturn]] void unknown(lua_State* L, const std::string& name);

  const NativeModules& natives_;
  Sources& sources_;
  int loaded_ = -2;  // registry references
  int function_ = -2;
  Requirer** box_ = nullptr;  // kept alive by the closure
  std::vector<std::string> loading_;
};

}  // namespace host::script
