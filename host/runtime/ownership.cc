#include "host/runtime/ownership.h"

#include <algorithm>

#include "host/runtime/random_id.h"
#include "host/runtime/sabotage.h"

namespace host::runtime {

using ports::Lease;
using ports::LogLevel;
using ports::Member;
using ports::Members;
using ports::MembersView;

namespace {

/// Shards that are handed over end at about the same time.
constexpr Duration kTogether = std::chrono::milliseconds(5);

}  // namespace

Ownership::Ownership(Parts parts, Settings settings)
    : parts_(parts), settings_(std::move(settings)) {}

Ownership::~Ownership() {
  alive_.reset();
  parts_.members.on_change(parts_.executor, nullptr);
}

/// Of this life as a member alone: what an earlier one asked for is not heard any more.
template <class F>
auto Ownership::guarded(F f) {
  return [life = std::weak_ptr<int>(life_), f = std::move(f)](auto&&... args) mutable {
    if (!life.expired()) f(std::forward<decltype(args)>(args)...);
  };
}

template <class T>
Members::Callback<T> Ownership::asking() {
  ++asking_;
  return guarded([this](Result<T> result) {
    --asking_;
    // What a failed one did the next look shows; no hurry, the store may be away.
    if (result.ok()) look_again_ = true;
    if (asking_ == 0 && std::exchange(look_again_, false)) look();
  });
}

void Ownership::start() {
  parts_.members.on_change(parts_.executor, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired() && joined_) look();
  });
  join();
}

void Ownership::join() {
  life_ = std::make_shared<int>();
  id_ = random_id(parts_.chance);
  joined_ = beating_ = beat_again_ = look_again_ = releasing_ = false;
  settled_ = false;
  asking_ = 0;
  deaths_ = Deaths();
  Member self{.id = id_, .plugins = settings_.plugins, .admin = settings_.admin};
  parts_.members.join(std::move(self), parts_.executor, guarded([this](Result<void> result) {
                        if (!result) {
                          // It may have been carried out: that member is buried later.
                          parts_.executor.post_after(settings_.again, guarded([this] { join(); }));
                          return;
                        }
                        joined_ = true;
                        beat_after(settings_.beat);
                        look();
                      }));
}

void Ownership::join_anew(const char* why) {
  parts_.logger.log(LogLevel::warn, "this host is not a member any more and joins anew",
                    {{"member", id_}, {"why", why}});
  parts_.metrics.add("host_member_rejoins_total", 1);
  parts_.executor.cancel(beat_timer_);
  parts_.executor.cancel(look_timer_);
  for (const auto& [shard, phase] : std::exchange(held_, {})) {
    if (!sabotage::kFencedFights) parts_.hands.drop(shard);
  }
  if (leaving_) return left();
  join();
}

void Ownership::beat_after(Duration delay) {
  parts_.executor.cancel(beat_timer_);
  beat_timer_ = parts_.executor.post_after(delay, guarded([this] { beat(); }));
}

void Ownership::beat() {
  if (std::exchange(beating_, true)) {
    beat_again_ = true;
    return;
  }
  parts_.members.beat(id_, leaving_, parts_.executor, guarded([this](Result<void> result) {
                        beating_ = false;
                        if (!result && result.error().code == Error::Code::not_found) {
                          return join_anew("others took it for dead");
                        }
                        if (std::exchange(beat_again_, false)) return beat();
                        beat_after(result.ok() ? settings_.beat : settings_.again);
                        // Right behind a beat a death is seen first.
                        if (result.ok()) look();
                      }));
}

void Ownership::look_after(Duration delay) {
  parts_.executor.cancel(look_timer_);
  look_timer_ = parts_.executor.post_after(delay, guarded([this] { look(); }));
}

void Ownership::look() {
  if (!joined_ || gone_) return;
  if (asking_ > 0) {
    look_again_ = true;
    return;
  }
  ++asking_;
  look_after(settings_.look);
  parts_.members.look(parts_.executor, guarded([this](Result<MembersView> view) {
                        --asking_;
                        if (view) decide(*view);
                        if (asking_ == 0 && std::exchange(look_again_, false)) look();
                      }));
}

void Ownership::decide(const MembersView& view) {
  const bool known = std::any_of(view.members.begin(), view.members.end(),
                                 [this](const Member& member) { return member.id == id_; });
  if (!known) return join_anew("others took it for dead");
  parts_.metrics.set("host_members", static_cast<double>(view.members.size()));
  follow(view);
  bury(view);
  if (!leaving_) share(view);
  release();
  leave_when_empty();
}

/// What is worked on here becomes what the leases say.
void Ownership::follow(const MembersView& view) {
  std::map<ShardRef, bool> ours;
  for (const Lease& lease : view.leases) {
    const bool runs = std::find(settings_.plugins.begin(), settings_.plugins.end(),
                                lease.shard.plugin) != settings_.plugins.end();
    if (runs && lease.owner == id_) ours[lease.shard] = true;
  }
  for (auto held = held_.begin(); held != held_.end();) {
    if (ours.contains(held->first)) {
      ++held;
      continue;
    }
    if (!sabotage::kFencedFights) parts_.hands.drop(held->first);
    held = held_.erase(held);
  }
  for (const auto& [shard, yes] : ours) follow_ours(shard);
}

void Ownership::follow_ours(const ShardRef& shard) {
  const auto held = held_.find(shard);
  if (held != held_.end() && held->second != Phase::lost) return;
  const bool door = shard.number >= kFirstDoor;
  if (leaving_) {
    // Nothing of a shard is here, so it may be released; a door may have something to send, which
    // whoever takes it after us does.
    held_[shard] = door ? Phase::left : Phase::ended;
    return;
  }
  held_[shard] = Phase::working;
  parts_.hands.start(shard);
}

void Ownership::bury(const MembersView& view) {
  for (const Member& dead : deaths_.found(view, id_)) {
    parts_.logger.log(LogLevel::warn, "a member is dead",
                      {{"member", dead.id}, {"admin", dead.admin}});
    parts_.metrics.add("host_member_deaths_total", 1);
    parts_.members.bury(dead, parts_.executor, asking<void>());
  }
}

void Ownership::share(const MembersView& view) {
  std::vector<Lease> take;
  for (const std::string& plugin : settings_.plugins) {
    Moves shards = shard_moves(view, id_, plugin, settings_.partitions);
    Moves doors = door_moves(view, id_, plugin, settings_.doors);
    take.insert(take.end(), shards.take.begin(), shards.take.end());
    take.insert(take.end(), doors.take.begin(), doors.take.end());
    give(plugin, shards.give);
  }
  settled_ = take.empty();
  if (take.empty()) return;
  auto taken = asking<std::vector<Lease>>();
  parts_.members.take(id_, std::move(take), parts_.executor,
                      guarded([this, taken = std::move(taken)](auto result) mutable {
                        if (result) {
                          for (const Lease& lease : *result) follow_ours(lease.shard);
                        }
                        taken(std::move(result));
                      }));
}

void Ownership::give(const std::string& plugin, std::size_t count) {
  std::vector<std::pair<const ShardRef, Phase>*> working;
  for (auto& held : held_) {
    if (held.first.plugin != plugin || held.first.number >= kFirstDoor) continue;
    if (held.second == Phase::ending || held.second == Phase::ended) {
      count -= std::min<std::size_t>(count, 1);
    } else {
      working.push_back(&held);
    }
  }
  for (; count > 0 && !working.empty(); --count) {
    end(working.back()->first, working.back()->second);
    working.pop_back();
  }
}

void Ownership::end(const ShardRef& shard, Phase& phase) {
  if (phase == Phase::lost) {
    phase = shard.number >= kFirstDoor ? Phase::left : Phase::ended;
  } else if (phase == Phase::working) {
    phase = Phase::ending;
    if (sabotage::kReleaseBeforeFlush) {
      parts_.members.release(id_, {shard}, parts_.executor, asking<void>());
    }
    parts_.hands.hand_over(shard, settings_.hand_over);
  }
}

void Ownership::lost(const ShardRef& shard) {
  if (sabotage::kFencedFights) return parts_.hands.start(shard);
  const auto held = held_.find(shard);
  if (held == held_.end()) return;
  if (held->second == Phase::ending) return ended(shard, shard.number < kFirstDoor);
  if (held->second == Phase::working) held->second = Phase::lost;
}

void Ownership::ended(const ShardRef& shard, bool clean) {
  const auto held = held_.find(shard);
  if (held == held_.end()) return;
  held->second = clean || shard.number < kFirstDoor ? Phase::ended : Phase::left;
  // A door that has not sent everything is tried again as long as we stay.
  if (held->second == Phase::left && !leaving_) held->second = Phase::lost;
  if (held->second != Phase::ended) return look();
  if (std::exchange(releasing_, true)) return;
  parts_.executor.post_after(kTogether, guarded([this] {
                               releasing_ = false;
                               if (asking_ > 0) return look();
                               release();  // then it looks
                             }));
}

void Ownership::release() {
  std::vector<ShardRef> shards;
  for (const auto& [shard, phase] : held_) {
    if (phase == Phase::ended) shards.push_back(shard);
  }
  if (shards.empty()) return;
  auto released = asking<void>();
  parts_.members.release(
      id_, shards, parts_.executor,
      guarded([this, shards, released = std::move(released)](Result<void> result) mutable {
        if (result) {
          for (const ShardRef& shard : shards) held_.erase(shard);
        }
        released(std::move(result));
      }));
}

void Ownership::leave(Duration within, UniqueFunction<void()> done) {
  left_ = std::move(done);
  if (gone_) return left();
  if (leaving_) return;
  leaving_ = true;
  parts_.executor.post_after(within, [this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired() || gone_) return;
    // What is not handed over is free at once; its next owner reads it as it is.
    parts_.members.leave(id_, parts_.executor, [](const Result<void>&) {});
    left();
  });
  if (!joined_ || sabotage::kLeaveWithoutWord) return left();
  beat();  // the others count without us from now on
  for (auto& [shard, phase] : held_) end(shard, phase);
  look();
}

void Ownership::leave_when_empty() {
  const bool empty = std::all_of(held_.begin(), held_.end(),
                                 [](const auto& held) { return held.second == Phase::left; });
  if (!leaving_ || gone_ || !empty) return;
  gone_ = true;
  parts_.members.leave(id_, parts_.executor, guarded([this](const Result<void>&) { left(); }));
}

void Ownership::left() {
  gone_ = true;
  parts_.executor.cancel(beat_timer_);
  parts_.executor.cancel(look_timer_);
  for (const auto& [shard, phase] : std::exchange(held_, {})) parts_.hands.drop(shard);
  if (left_) std::exchange(left_, nullptr)();
}

}  // namespace host::runtime
