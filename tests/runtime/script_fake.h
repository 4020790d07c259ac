#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/ports/script_engine.h"

namespace host::fakes {

/// A "script" of C++: a function that is given the call and the answers to its effects so far, and
/// says what its next turn leads to. Runs the way a coroutine does, without Lua.
struct FakeScript {
  /// `answers` are those to the effects of this run, in order.
  using Handler = std::function<ports::Step(const ports::Call& call,
                                            const std::vector<ports::EffectAnswer>& answers)>;
  using Inspect = std::function<Result<ports::Engine::Inspected>(const std::string& topic,
                                                                 const std::string& payload)>;

  Manifest manifest;
  Handler handler;
  Inspect inspect;
  /// The parts of an answer that is made in parts: `number` from 1.
  std::function<ports::Step(std::size_t number)> part = {};
  std::function<bool(std::size_t running)> admits = {};  // whether another may start
  std::function<bool()> loads = {};                      // whether an engine can be made
};

/// A revision that runs a FakeScript. Immutable.
std::shared_ptr<const ports::Revision> make_revision(FakeScript script);

ports::Step done(UnitOfWork unit = {});
ports::Step raised(std::string why);
ports::Step wait_for(ports::Effect effect);
/// The engine breaks. As the script engine does: where others run too it is nobody's fault yet.
ports::Step out_of_memory();

}  // namespace host::fakes
