#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "host/ports/clock.h"
#include "host/ports/members.h"

namespace host::fakes {

/// Members and leases in memory. It outlives the processes of a simulated world: what an executor
/// that is killed had asked for is carried out or not, and its answers are dropped. Thread-safe.
class FakeMembers : public ports::Members {
 public:
  struct Manners {
    double unavailable = 0;  // a call fails, carried out or not
    double lost_hint = 0;    // a change is not hinted
    Duration delay{};        // answers come up to so much later
  };

  explicit FakeMembers(const ports::Clock& clock) : FakeMembers(clock, Manners{}) {}
  FakeMembers(const ports::Clock& clock, Manners manners, std::uint64_t seed = 1);

  void join(ports::Member self, Executor& executor, Callback<void> callback) override;
  void beat(const std::string& id, bool leaving, Executor& executor,
            Callback<void> callback) override;
  void look(Executor& executor, Callback<ports::MembersView> callback) override;
  void take(const std::string& id, std::vector<ports::Lease> seen, Executor& executor,
            Callback<std::vector<ports::Lease>> callback) override;
  void release(const std::string& id, std::vector<ShardRef> shards, Executor& executor,
               Callback<void> callback) override;
  void leave(const std::string& id, Executor& executor, Callback<void> callback) override;
  void bury(const ports::Member& seen, Executor& executor, Callback<void> callback) override;
  void on_change(Executor& executor, std::function<void()> changed) override;

  // ---- handles ----
  /// From now on every call fails after 1.5 s, as with a server that stands; go_on() ends it.
  void stand();
  void go_on();
  /// Drops what waits for an executor that is about to be destroyed.
  void forget(const Executor& executor);

  // ---- for the tests' eyes ----
  ports::MembersView view() const;
  std::string owner(const ShardRef& shard) const;  // empty: nobody
  std::size_t turns() const;                       // leases that were taken so far
  std::size_t buried() const;                      // members

 private:
  template <class T, class Do>
  void call(Executor& executor, Callback<T> callback, Do carry_out);
  void hint(const Executor* but);
  bool draw(double chance);

  const ports::Clock& clock_;
  const Manners manners_;
  mutable std::mutex mutex_;  // guards everything below
  std::mt19937_64 random_;
  bool stands_ = false;
  std::map<std::string, ports::Member> members_;
  std::set<std::string> known_;  // ids of all times
  std::map<ShardRef, ports::Lease> leases_;
  std::map<Executor*, std::function<void()>> watchers_;
  std::size_t turns_ = 0, buried_ = 0;
};

}  // namespace host::fakes
