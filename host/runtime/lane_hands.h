#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/ports/clock.h"
#include "host/runtime/holdings.h"
#include "host/runtime/ownership.h"

namespace host::runtime {

/// Carries out on the lanes what the ownership wants, and tells it what became of that: each shard
/// on the lane that its number names, a door on a lane that has none; further doors are emptied.
/// Lives as long as lanes and ownership run. Only on the ownership's executor.
class LaneHands final : public Ownership::Hands {
 public:
  struct OnLane {
    Executor* lane = nullptr;
    std::map<std::string, Holdings*> plugins;
  };
  /// `first`: on which lane a plugin's shard 0 lives.
  LaneHands(std::vector<OnLane> lanes, std::map<std::string, std::size_t> first, Executor& executor,
            const ports::Clock& clock);
  ~LaneHands() override;

  /// Who is told; before it starts.
  void tell(Ownership* ownership) { ownership_ = ownership; }

  void start(const ShardRef& shard) override;
  void hand_over(const ShardRef& shard, Duration within) override;
  void drop(const ShardRef& shard) override;

 private:
  using OnHoldings = UniqueFunction<void(Holdings&)>;
  std::size_t lane_of(const ShardRef& shard) const;
  std::optional<std::size_t> lane_of_door(const ShardRef& door) const;
  void on_lane(std::size_t lane, const std::string& plugin, OnHoldings work);
  void start_door(const ShardRef& door);
  void hand_over_door(const ShardRef& door, Time deadline);
  void forget_door(const ShardRef& door);
  UniqueFunction<void(bool)> ended(const ShardRef& shard);

  const std::vector<OnLane> lanes_;
  const std::map<std::string, std::size_t> first_;
  Executor& executor_;
  const ports::Clock& clock_;
  Ownership* ownership_ = nullptr;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::map<ShardRef, std::uint64_t> asked_;  // what was asked last, of each; older answers are void
  std::uint64_t last_asked_ = 0;
  std::map<std::string, std::vector<std::optional<ShardRef>>> doors_;  // by lane
};

}  // namespace host::runtime
