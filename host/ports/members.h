#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/base/executor.h"
#include "host/base/result.h"
#include "host/core/ids.h"

namespace host::ports {

/// A process of the deployment, for one of its lives.
struct Member {
  std::string id;                         // never used again, not even after a restart
  std::vector<std::string> plugins = {};  // that it runs
  std::string admin = {};                 // address of its admin API; empty: it has none
  bool leaving = false;                   // hands over what it has, and takes nothing
  Time heartbeat{};  // by the store's clock: to be compared with those of other members only
};

/// Who should work on a shard, or on a door.
struct Lease {
  ShardRef shard;
  std::string owner;      // a member's id, also of one that is gone; empty: it was released
  std::int64_t turn = 0;  // ascends with every change of the owner; 0: it was never taken
};

/// Members and leases at one moment.
struct MembersView {
  std::vector<Member> members;  // by id; without those that left or were buried
  std::vector<Lease> leases;    // by shard; one that was never taken is not there
};

/// Who lives and who should own what, where all processes of a deployment see it. It is there for
/// liveness alone: that one owner writes is the business of the claim and its epoch (Store::claim).
/// So a view may be old, a take may come too late, a dead member may turn out to live.
///
/// Who is dead is for the members to say (bury): nobody's row goes by itself. What a backend needs
/// to end the connections of a dead member that still hold locks it keeps for itself.
///
/// Thread-safe. Callbacks arrive on the executor that was given, each exactly once, within seconds,
/// never inside the call that takes them. Every call can fail with `unavailable` (retryable): then
/// whether it had its effect is unknown, and the next look() shows it.
class Members {
 public:
  virtual ~Members() = default;

  template <class T>
  using Callback = UniqueFunction<void(Result<T>)>;

  /// The member is there from now on, with a first heartbeat. Errors: conflict (the id is or was
  /// known).
  virtual void join(Member self, Executor& executor, Callback<void> callback) = 0;
  /// It lives; `leaving` is what others see of it from now on. Errors: not_found (it left, or
  /// somebody buried it: what it owned is not its own any more, it has to join as a new member).
  virtual void beat(const std::string& id, bool leaving, Executor& executor,
                    Callback<void> callback) = 0;
  virtual void look(Executor& executor, Callback<MembersView> callback) = 0;

  /// Each of `seen` whose owner and turn are still the same becomes the member's; the others stay
  /// what they are. The answer has those that it got, as they are now. One that was never taken is
  /// given with no owner and turn 0. Errors: not_found (no such member: nothing was taken).
  virtual void take(const std::string& id, std::vector<Lease> seen, Executor& executor,
                    Callback<std::vector<Lease>> callback) = 0;
  /// Those that are the member's have no owner from now on; the others stay what they are.
  virtual void release(const std::string& id, std::vector<ShardRef> shards, Executor& executor,
                       Callback<void> callback) = 0;
  /// The member is gone; leases that it did not release keep its name. Unknown: no effect.
  virtual void leave(const std::string& id, Executor& executor, Callback<void> callback) = 0;
  /// As leave() of another member, if its heartbeat is still the one that was seen.
  virtual void bury(const Member& seen, Executor& executor, Callback<void> callback) = 0;

  /// `changed` runs on the executor when others joined, left, released or were buried: a hint that
  /// a look is worth it now. It may come needlessly, and may be lost. Null, or a later call, ends
  /// the former one: after the call on that executor it does not come any more.
  virtual void on_change(Executor& executor, std::function<void()> changed) = 0;
};

}  // namespace host::ports
