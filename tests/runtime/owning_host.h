#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/runtime/asks.h"
#include "host/runtime/lane_hands.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_members.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/seeded_chance.h"
#include "tests/runtime/ledger.h"

namespace host {

/// What outlives the hosts of a simulated deployment: servers with the manners of Kafka and
/// PostgreSQL, and time.
struct Servers {
  struct Manners {
    fakes::FakeLog::Manners log = {};
    fakes::FakeStore::Manners store = {};
    fakes::FakeMembers::Manners members = {};
  };
  Servers(PartitionNumber partitions, Manners manners, std::uint64_t seed = 1);

  const PartitionNumber partitions;
  fakes::Scheduler scheduler;
  fakes::FakeLog log;
  fakes::FakeStore store;
  fakes::FakeMembers members;
  fakes::SeededChance chance;
  fakes::RecordingMetrics metrics;
  fakes::RecordingLogger logger;
  ports::Store::Identity identity;
};

/// A host that runs the plugin "ledger" on two lanes and shares the servers with others: all of a
/// process but its sockets. Killed, stopped and continued as a whole.
class OwningHost {
 public:
  explicit OwningHost(Servers& servers, std::size_t batch = 20);
  ~OwningHost() { kill(); }
  OwningHost(const OwningHost&) = delete;
  OwningHost& operator=(const OwningHost&) = delete;

  /// SIGKILL.
  void kill();
  /// SIGSTOP and SIGCONT.
  void pause();
  void resume();
  bool paused() const { return paused_; }
  /// SIGTERM; when it has left, left() is true and it may be killed.
  void leave();
  bool leaving() const { return leaving_; }
  bool left() const { return left_; }

  const std::string& member() const { return ownership_->id(); }
  std::size_t shards() const;  // that run
  bool runs(PartitionNumber shard) const;
  /// Nothing is under way in any of its shards.
  bool quiet() const;
  /// Through the door of a lane, as an HTTP handler does.
  void send(std::size_t lane, std::vector<Emit> emits, std::function<void(Result<void>)> answered);
  bool door_open(std::size_t lane) const;

 private:
  struct OnLane {
    std::unique_ptr<fakes::ManualExecutor> lane;
    std::unique_ptr<runtime::PluginCode> code;
    std::unique_ptr<runtime::Holdings> holdings;
  };
  void each_executor(const std::function<void(fakes::ManualExecutor&)>& work);

  Servers& servers_;
  runtime::Asks asks_;
  runtime::Environment env_;
  std::unique_ptr<fakes::ManualExecutor> control_;
  std::vector<OnLane> lanes_;
  std::unique_ptr<runtime::LaneHands> hands_;
  std::unique_ptr<runtime::Ownership> ownership_;
  bool paused_ = false, leaving_ = false, left_ = false;
};

}  // namespace host
