#include "host/runtime/lane_hands.h"

#include <algorithm>

namespace host::runtime {
namespace {

bool is_door(const ShardRef& shard) { return shard.number >= kFirstDoor; }

}  // namespace

LaneHands::LaneHands(std::vector<OnLane> lanes, std::map<std::string, std::size_t> first,
                     Executor& executor, const ports::Clock& clock)
    : lanes_(std::move(lanes)), first_(std::move(first)), executor_(executor), clock_(clock) {
  for (const auto& [plugin, lane] : first_) doors_[plugin].resize(lanes_.size());
}

LaneHands::~LaneHands() { alive_.reset(); }

std::size_t LaneHands::lane_of(const ShardRef& shard) const {
  return (static_cast<std::size_t>(shard.number) + first_.at(shard.plugin)) % lanes_.size();
}

std::optional<std::size_t> LaneHands::lane_of_door(const ShardRef& door) const {
  const auto& lanes = doors_.at(door.plugin);
  const auto found = std::find(lanes.begin(), lanes.end(), std::optional(door));
  if (found == lanes.end()) return std::nullopt;
  return static_cast<std::size_t>(found - lanes.begin());
}

void LaneHands::on_lane(std::size_t lane, const std::string& plugin, OnHoldings work) {
  const OnLane& on = lanes_[lane];
  on.lane->post(
      [holdings = on.plugins.at(plugin), work = std::move(work)]() mutable { work(*holdings); });
}

/// Answers on the executor, unless something else was asked of the shard meanwhile.
UniqueFunction<void(bool)> LaneHands::ended(const ShardRef& shard) {
  const std::uint64_t asked = ++last_asked_;
  asked_[shard] = asked;
  return
      [this, &executor = executor_, alive = std::weak_ptr<int>(alive_), shard, asked](bool clean) {
        executor.post([this, alive, shard, asked, clean] {
          if (alive.expired()) return;
          const auto last = asked_.find(shard);
          if (last == asked_.end() || last->second != asked) return;
          asked_.erase(last);
          if (is_door(shard)) forget_door(shard);
          ownership_->ended(shard, clean);
        });
      };
}

void LaneHands::start(const ShardRef& shard) {
  asked_.erase(shard);
  if (is_door(shard)) return start_door(shard);
  on_lane(lane_of(shard), shard.plugin,
          [number = shard.number](Holdings& holdings) { holdings.start(number); });
}

void LaneHands::start_door(const ShardRef& door) {
  std::optional<std::size_t> lane = lane_of_door(door);
  auto& lanes = doors_.at(door.plugin);
  if (!lane) {
    const auto without = std::find(lanes.begin(), lanes.end(), std::nullopt);
    if (without != lanes.end()) lane = static_cast<std::size_t>(without - lanes.begin());
  }
  if (lane) {
    lanes[*lane] = door;
    on_lane(*lane, door.plugin, [door](Holdings& holdings) { holdings.open_door(door); });
    return;
  }
  on_lane(lane_of(door), door.plugin, [door, done = ended(door)](Holdings& holdings) mutable {
    holdings.empty(door, std::move(done));
  });
}

void LaneHands::hand_over(const ShardRef& shard, Duration within) {
  const Time deadline = clock_.now() + within;
  if (is_door(shard)) return hand_over_door(shard, deadline);
  on_lane(lane_of(shard), shard.plugin,
          [number = shard.number, deadline, done = ended(shard)](Holdings& holdings) mutable {
            holdings.hand_over(number, deadline,
                               [done = std::move(done)]() mutable { done(true); });
          });
}

void LaneHands::hand_over_door(const ShardRef& door, Time deadline) {
  if (const std::optional<std::size_t> lane = lane_of_door(door)) {
    on_lane(*lane, door.plugin, [deadline, done = ended(door)](Holdings& holdings) mutable {
      holdings.door().stop(deadline, std::move(done));
    });
    return;
  }
  // It is being emptied: who comes after us goes on with that.
  on_lane(lane_of(door), door.plugin, [door, done = ended(door)](Holdings& holdings) mutable {
    holdings.drop_emptied(door);
    done(false);
  });
}

void LaneHands::forget_door(const ShardRef& door) {
  if (const std::optional<std::size_t> lane = lane_of_door(door)) {
    doors_.at(door.plugin)[*lane].reset();
  }
}

void LaneHands::drop(const ShardRef& shard) {
  asked_.erase(shard);
  if (!is_door(shard)) {
    on_lane(lane_of(shard), shard.plugin,
            [number = shard.number](Holdings& holdings) { holdings.drop(number); });
  } else if (const std::optional<std::size_t> lane = lane_of_door(shard)) {
    forget_door(shard);
    on_lane(*lane, shard.plugin, [](Holdings& holdings) { holdings.door().close(); });
  } else {
    on_lane(lane_of(shard), shard.plugin,
            [shard](Holdings& holdings) { holdings.drop_emptied(shard); });
  }
}

}  // namespace host::runtime
