#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "host/script/loader.h"
#include "host/script/lua_state.h"

namespace host::script {

/// A file of tests, loaded into one state: what it drives, and its cases.
struct TestFile {
  std::string deployment;                             // relative to the root; "": none
  std::vector<std::string> plugins;                   // relative to the root
  std::vector<std::pair<std::string, LuaRef>> cases;  // sentence, function(t); in byte order
  bool is_plugin = false;  // it is no file of tests: its smoke cases are meant
};

/// Runs the file in `state` (make_script_state) and reads the table that it returns. It may
/// require what plugins may. Errors: script_error with its place, invalid naming what is wrong.
Result<TestFile> load_test_file(LuaState& state, const NativeModules& modules,
                                const std::string& file, const std::string& root);

/// Calls a case with the one value that `push_argument` pushes; it may raise. A case that runs
/// longer than ten seconds is ended. The state is interpreted from then on. Errors: script_error.
Result<void> run_test(LuaState& state, LuaRef function,
                      const std::function<void(lua_State*)>& push_argument);

}  // namespace host::script
