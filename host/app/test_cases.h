#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/app/run_settings.h"
#include "host/app/test_world.h"
#include "host/core/manifest.h"
#include "host/script/lua_state.h"

namespace host::app {

/// One case of a test file, or a smoke case of a plugin.
struct TestCase {
  std::string file;
  std::string sentence;
  int function = -2;  // registry reference in the state that is given to run_case()
};

/// Runs the case against a fresh world of `revisions`. Nothing: it passed; else why not, with the
/// line. A case that runs longer than ten seconds, itself or the plugins that it drives, is ended.
std::optional<Error> run_case(script::LuaState& state, const TestCase& test,
                              const TestWorld::Revisions& revisions, const RunSettings& settings);

/// The smoke cases of a revision: what failed, with file and line. Empty: they all passed.
Problems run_smoke(const std::shared_ptr<const ports::Revision>& revision,
                   const RunSettings& settings,
                   const std::function<void(const std::string& sentence,
                                            const std::optional<Error>& failed)>& told = nullptr);

}  // namespace host::app
