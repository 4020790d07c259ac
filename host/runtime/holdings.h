#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "host/runtime/door.h"
#include "host/runtime/shard.h"

namespace host::runtime {

/// What one lane works on for one plugin: shards, which come and go one by one while others run;
/// the door of the lane's HTTP handlers; and doors of processes that are gone, from which it sends
/// what they left. Only on its lane.
class Holdings {
 public:
  /// Told, on the lane, which shard or door was lost (Shard::Lost). Null: these claim anew.
  using Lost = std::function<void(const ShardRef&)>;

  Holdings(std::string plugin, const Environment& environment, Executor& lane, PluginCode& code,
           Lost lost = nullptr);

  Door& door() { return door_; }
  const std::map<PartitionNumber, std::unique_ptr<Shard>>& shards() const { return shards_; }
  void code_changed();

  /// The shard is there, and does nothing yet. Of one that is there: no effect.
  void add(PartitionNumber number);
  /// Claims the shard, which is added where it is not there, and begins; one that was lost anew.
  void start(PartitionNumber number);
  /// Stops the shard (Shard::stop); then it is gone and `done` is called. `done` comes also when
  /// there is none.
  void hand_over(PartitionNumber number, Time deadline, UniqueFunction<void()> done);
  /// The shard is gone, with all that is not committed. Of none: no effect.
  void drop(PartitionNumber number);

  /// The lane's door is this one from now on; claimed anew where it is the same.
  void open_door(const ShardRef& door);
  /// Claims a door that nobody works with, sends what it has left, and closes it.
  void empty(const ShardRef& door, Door::Stopped done);
  void drop_emptied(const ShardRef& door);

 private:
  const std::string plugin_;
  const Environment& env_;
  Executor& lane_;
  PluginCode& code_;
  const Lost lost_;
  Door door_;
  ShardRef door_ref_;
  std::map<PartitionNumber, std::unique_ptr<Shard>> shards_;
  std::map<ShardRef, std::unique_ptr<Door>> emptied_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace host::runtime
