#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/core/partition.h"
#include "host/runtime/asks.h"
#include "host/runtime/shard.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/seeded_chance.h"
#include "tests/runtime/script_fake.h"

namespace host {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// What outlives a process: log, store and time, and what the parts of the runtime are given.
struct Outside {
  explicit Outside(bool shared = false, PartitionNumber partitions = 1,
                   Duration store_delay = Duration::zero());

  std::string append(const std::string& topic, std::optional<std::string> key, std::string payload,
                     Headers headers = {});
  void settle() { REQUIRE(scheduler.run_until_idle()); }
  void pass(Duration d) { REQUIRE(scheduler.advance(d)); }
  Time now() { return scheduler.clock().now(); }

  const PartitionNumber partitions;
  fakes::Scheduler scheduler;
  fakes::FakeLog log;
  fakes::FakeStore store;
  fakes::SeededChance chance;
  fakes::RecordingMetrics metrics;
  fakes::RecordingLogger logger;
  runtime::Asks asks;
  runtime::Environment env;
};

/// A plugin "p" of C++ functions: one a topic, timer name or `every` name. What ran is in `ran`, as
/// "NAME KEY PAYLOAD".
struct Script {
  using Handler = fakes::FakeScript::Handler;

  Script();
  Script& on(const std::string& topic, Handler handler);
  Script& timer(const std::string& name, Handler handler = {});
  Script& every(const std::string& name, Duration period, bool per_shard, Handler handler = {});
  Manifest::Subscription& subscription(const std::string& topic);
  std::shared_ptr<const ports::Revision> revision(const std::string& name = "r1") const;

  Manifest manifest;
  std::map<std::string, Handler> handlers;
  fakes::FakeScript::Inspect inspect;
  std::function<bool(std::size_t)> admits;
  std::function<bool()> loads;
  std::shared_ptr<std::vector<std::string>> ran = std::make_shared<std::vector<std::string>>();
};

/// One process that owns all shards of the plugin, on one lane.
struct Process {
  Process(Outside& outside, const std::shared_ptr<const ports::Revision>& revision);
  ~Process() { kill(); }
  void kill();
  runtime::Shard& shard(std::size_t n = 0) { return *shards.at(n); }
  runtime::ShardStatus status(std::size_t n = 0) { return shard(n).status(); }
  void publish(const std::shared_ptr<const ports::Revision>& revision);

  Outside& outside;
  std::unique_ptr<fakes::ManualExecutor> lane;
  std::unique_ptr<runtime::PluginCode> code;
  std::vector<std::unique_ptr<runtime::Shard>> shards;
};

using Answers = std::vector<ports::EffectAnswer>;

inline ports::Step done() { return fakes::done(); }
inline ports::Step set_state(std::string bytes) {
  UnitOfWork unit;
  unit.state = StateChange{std::move(bytes)};
  return fakes::done(std::move(unit));
}
inline ports::Step emit(const std::string& topic, const std::string& key, std::string payload) {
  UnitOfWork unit;
  unit.emits.push_back({.topic = topic, .key = key, .payload = std::move(payload), .headers = {}});
  return fakes::done(std::move(unit));
}
inline ports::Step timers(std::vector<TimerChange> changes) {
  UnitOfWork unit;
  unit.timers = std::move(changes);
  return fakes::done(std::move(unit));
}
inline ports::Step query() {
  return fakes::wait_for({.id = 0, .what = ports::QueryEffect{{.text = "q", .parameters = {}}}});
}

}  // namespace host
