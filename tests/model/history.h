#pragma once

#include <string>

#include "tests/model/world.h"

namespace host::model {

/// What a history did wrong; empty when nothing.
struct Verdict {
  int lost = 0;        // messages that never took effect
  int doubled = 0;     // messages that took effect twice
  int disordered = 0;  // messages of a key that took effect before an earlier one of their sender
  bool stuck = false;  // it did not come to rest

  bool good() const { return lost == 0 && doubled == 0 && disordered == 0 && !stuck; }
  std::string to_string() const;
};

/// How often something was met, so that a test can see that the histories cover it.
struct Coverage {
  long histories = 0;
  long claims = 0;
  long fenced = 0;
  long kills = 0;
  long restores = 0;
  long redriven = 0;
  long reloads = 0;
};

/// Runs one random history to its rest and judges it. Same seed, same history.
Verdict run_history(std::uint64_t seed, Mutant mutant, Coverage* coverage = nullptr);

}  // namespace host::model
