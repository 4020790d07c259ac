#include "tests/runtime/owning_host.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace host {
namespace {

constexpr std::size_t kLanes = 2;

}  // namespace

Servers::Servers(PartitionNumber count, Manners manners, std::uint64_t seed)
    : partitions(count),
      scheduler(seed),
      log(scheduler.clock(), manners.log, seed),
      store(scheduler.clock(), log, manners.store, seed),
      members(scheduler.clock(), manners.members, seed),
      chance(seed),
      identity(*store.open_deployment(count)) {
  std::vector<ports::TopicSettings> topics;
  for (const char* name : {"transfers", "orders", "credits", "ledger.inbox"}) {
    topics.push_back({.name = name, .partitions = count});
  }
  REQUIRE(log.ensure_topics(topics).ok());
}

OwningHost::OwningHost(Servers& servers, std::size_t batch)
    : servers_(servers),
      env_{servers.log,
           servers.store,
           servers.scheduler.clock(),
           servers.chance,
           servers.metrics,
           servers.logger,
           asks_,
           servers.identity,
           "",
           {},
           false},
      control_(std::make_unique<fakes::ManualExecutor>(servers.scheduler)) {
  env_.limits.batch_messages = batch;
  env_.limits.input_messages = 4 * batch;
  env_.limits.timers_in_memory = 3;
  env_.limits.states_in_memory = 600;
  env_.limits.fetch_bytes = 400;
  std::vector<runtime::LaneHands::OnLane> lanes;
  for (std::size_t i = 0; i < kLanes; ++i) {
    OnLane on;
    on.lane = std::make_unique<fakes::ManualExecutor>(servers.scheduler);
    on.code = std::move(*runtime::PluginCode::make(ledger::revision()));
    on.holdings = std::make_unique<runtime::Holdings>(
        "ledger", env_, *on.lane, *on.code, [this](const ShardRef& shard) {
          control_->post([this, shard] { ownership_->lost(shard); });
        });
    lanes.push_back({on.lane.get(), {{"ledger", on.holdings.get()}}});
    lanes_.push_back(std::move(on));
  }
  hands_ = std::make_unique<runtime::LaneHands>(std::move(lanes),
                                                std::map<std::string, std::size_t>{{"ledger", 0}},
                                                *control_, servers.scheduler.clock());
  ownership_ = std::make_unique<runtime::Ownership>(
      runtime::Ownership::Parts{.members = servers.members,
                                .executor = *control_,
                                .hands = *hands_,
                                .chance = servers.chance,
                                .logger = servers.logger,
                                .metrics = servers.metrics},
      runtime::Ownership::Settings{
          .plugins = {"ledger"}, .partitions = servers.partitions, .doors = kLanes});
  hands_->tell(ownership_.get());
  ownership_->start();
}

void OwningHost::each_executor(const std::function<void(fakes::ManualExecutor&)>& work) {
  work(*control_);
  for (OnLane& on : lanes_) work(*on.lane);
}

void OwningHost::kill() {
  if (!control_) return;
  each_executor([this](fakes::ManualExecutor& executor) {
    executor.kill();
    servers_.log.forget(executor);
    servers_.store.forget(executor);
    servers_.members.forget(executor);
  });
  ownership_.reset();
  hands_.reset();
  for (OnLane& on : lanes_) {
    on.holdings.reset();
    on.code.reset();
  }
  lanes_.clear();
  control_.reset();
}

void OwningHost::pause() {
  paused_ = true;
  each_executor([](fakes::ManualExecutor& executor) { executor.pause(); });
}

void OwningHost::resume() {
  paused_ = false;
  each_executor([](fakes::ManualExecutor& executor) { executor.resume(); });
}

void OwningHost::leave() {
  leaving_ = true;
  control_->post([this] { ownership_->leave(std::chrono::seconds(5), [this] { left_ = true; }); });
}

bool OwningHost::runs(PartitionNumber number) const {
  if (paused_) return false;
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const OnLane& on) {
    const auto found = on.holdings->shards().find(number);
    return found != on.holdings->shards().end() && found->second->status().status == "running";
  });
}

std::size_t OwningHost::shards() const {
  std::size_t count = 0;
  for (PartitionNumber p = 0; p < servers_.partitions; ++p) count += runs(p) ? 1 : 0;
  return count;
}

bool OwningHost::quiet() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const OnLane& on) {
    const auto& shards = on.holdings->shards();
    return std::all_of(shards.begin(), shards.end(), [](const auto& entry) {
      const runtime::ShardStatus status = entry.second->status();
      return status.status == "running" && !status.lag && !status.pending && !status.unfinished &&
             !status.timers && !status.outbox;
    });
  });
}

void OwningHost::send(std::size_t lane, std::vector<Emit> emits,
                      std::function<void(Result<void>)> answered) {
  OnLane& on = lanes_.at(lane % lanes_.size());
  on.lane->post([&door = on.holdings->door(), emits = std::move(emits),
                 answered = std::move(answered)]() mutable {
    door.send(std::move(emits), {}, std::nullopt,
              [answered = std::move(answered)](Result<void> result) { answered(result); });
  });
}

bool OwningHost::door_open(std::size_t lane) const {
  return lanes_.at(lane).holdings->door().open();
}

}  // namespace host
