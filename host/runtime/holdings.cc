#include "host/runtime/holdings.h"

namespace host::runtime {
namespace {

/// A door is emptied however long the log is away.
constexpr Duration kNoHurry = std::chrono::hours(24 * 365);

}  // namespace

Holdings::Holdings(std::string plugin, const Environment& environment, Executor& lane,
                   PluginCode& code, Lost lost)
    : plugin_(std::move(plugin)),
      env_(environment),
      lane_(lane),
      code_(code),
      lost_(std::move(lost)),
      door_({plugin_, kFirstDoor}, env_, lane_,
            lost_ ? [this] { lost_(door_ref_); } : Door::Lost()) {}

void Holdings::code_changed() {
  for (auto& [number, shard] : shards_) shard->code_changed();
}

void Holdings::add(PartitionNumber number) {
  std::unique_ptr<Shard>& shard = shards_[number];
  if (shard) return;
  const ShardRef ref{plugin_, number};
  shard = std::make_unique<Shard>(ref, env_, lane_, code_,
                                  lost_ ? [this, ref] { lost_(ref); } : Shard::Lost());
}

void Holdings::start(PartitionNumber number) {
  add(number);
  shards_.at(number)->start();
}

void Holdings::hand_over(PartitionNumber number, Time deadline, UniqueFunction<void()> done) {
  const auto found = shards_.find(number);
  if (found == shards_.end()) {
    lane_.post(std::move(done));
    return;
  }
  found->second->stop(deadline, [this, alive = std::weak_ptr<int>(alive_), number,
                                 shard = found->second.get(), done = std::move(done)]() mutable {
    if (alive.expired()) return;
    const auto stopped = shards_.find(number);
    if (stopped == shards_.end() || stopped->second.get() != shard) return;
    shards_.erase(stopped);
    done();
  });
}

void Holdings::drop(PartitionNumber number) { shards_.erase(number); }

void Holdings::open_door(const ShardRef& door) {
  door_ref_ = door;
  door_.start(door);
}

void Holdings::empty(const ShardRef& ref, Door::Stopped done) {
  std::unique_ptr<Door>& door = emptied_[ref];
  door = std::make_unique<Door>(ref, env_, lane_, [] {});  // a loss ends the stop, too
  door->start();
  door->stop(env_.clock.now() + kNoHurry, [this, alive = std::weak_ptr<int>(alive_), ref,
                                           done = std::move(done)](bool clean) mutable {
    // Not inside the door's own call.
    lane_.post([this, alive, ref, clean, done = std::move(done)]() mutable {
      if (alive.expired() || emptied_.erase(ref) == 0) return;
      done(clean);
    });
  });
}

void Holdings::drop_emptied(const ShardRef& door) { emptied_.erase(door); }

}  // namespace host::runtime
