#pragma once

#include "host/ports/script_engine.h"
#include "host/runtime/environment.h"

namespace host::runtime {

/// Carries out what a script waits for, for messages and HTTP calls alike. The answer comes on the
/// lane. Asks are the HTTP side's own (gateway). Only on its lane.
class Effects {
 public:
  using Callback = UniqueFunction<void(ports::EffectAnswer)>;

  static void query(const Environment& env, const std::string& plugin, ports::QueryEffect effect,
                    Executor& lane, Callback callback);
  static void read(const Environment& env, const std::string& plugin, ports::ReadEffect effect,
                   Executor& lane, Callback callback);
  static void list(const Environment& env, const std::string& plugin, ports::ListEffect effect,
                   Executor& lane, Callback callback);
};

}  // namespace host::runtime
