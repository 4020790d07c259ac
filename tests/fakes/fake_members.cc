#include "tests/fakes/fake_members.h"

#include <memory>
#include <optional>

namespace host::fakes {
namespace {

constexpr Duration kTimeout = std::chrono::milliseconds(1'500);

Error away() { return retryable_error(Error::Code::unavailable, "the members cannot be asked"); }
Error nobody(const std::string& id) {
  return make_error(Error::Code::not_found, "there is no member " + id);
}

}  // namespace

FakeMembers::FakeMembers(const ports::Clock& clock, Manners manners, std::uint64_t seed)
    : clock_(clock), manners_(manners), random_(seed) {}

bool FakeMembers::draw(double chance) {
  return chance > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < chance;
}

/// Carried out when it is asked for or when it is answered, at random: a process that is killed
/// between the two has asked in vain in the second case.
template <class T, class Do>
void FakeMembers::call(Executor& executor, Callback<T> callback, Do carry_out) {
  const std::lock_guard lock(mutex_);
  if (stands_) {
    executor.post_after(kTimeout, [callback = std::move(callback)]() mutable { callback(away()); });
    return;
  }
  const bool fails = draw(manners_.unavailable);
  if (fails && draw(0.5)) {
    executor.post([callback = std::move(callback)]() mutable { callback(away()); });
    return;
  }
  const Duration delay{manners_.delay.count() == 0
                           ? 0
                           : static_cast<std::int64_t>(
                                 random_() % static_cast<std::uint64_t>(manners_.delay.count()))};
  auto result = std::make_shared<std::optional<Result<T>>>();
  if (delay.count() == 0 || draw(0.5)) *result = carry_out();
  auto answer = [this, fails, result, carry_out = std::move(carry_out),
                 callback = std::move(callback)]() mutable {
    {
      const std::lock_guard later(mutex_);
      if (!*result) *result = carry_out();
    }
    callback(fails ? Result<T>(away()) : std::move(**result));
  };
  if (delay.count() == 0) {
    executor.post(std::move(answer));
  } else {
    executor.post_after(delay, std::move(answer));
  }
}

void FakeMembers::hint(const Executor* but) {
  for (const auto& [executor, changed] : watchers_) {
    if (executor != but && !draw(manners_.lost_hint)) executor->post(changed);
  }
}

void FakeMembers::join(ports::Member self, Executor& executor, Callback<void> callback) {
  call<void>(executor, std::move(callback),
             [this, self = std::move(self), &executor]() mutable -> Result<void> {
               if (!known_.insert(self.id).second) {
                 return make_error(Error::Code::conflict, "member " + self.id + " is known");
               }
               self.heartbeat = clock_.now();
               members_[self.id] = std::move(self);
               hint(&executor);
               return {};
             });
}

void FakeMembers::beat(const std::string& id, bool leaving, Executor& executor,
                       Callback<void> callback) {
  call<void>(executor, std::move(callback), [this, id, leaving, &executor]() -> Result<void> {
    const auto found = members_.find(id);
    if (found == members_.end()) return nobody(id);
    if (found->second.leaving != leaving) hint(&executor);
    found->second.leaving = leaving;
    found->second.heartbeat = clock_.now();
    return {};
  });
}

void FakeMembers::look(Executor& executor, Callback<ports::MembersView> callback) {
  call<ports::MembersView>(executor, std::move(callback), [this]() -> Result<ports::MembersView> {
    ports::MembersView view;
    for (const auto& [id, member] : members_) {
      view.members.push_back(member);
    }
    for (const auto& [shard, lease] : leases_) {
      view.leases.push_back(lease);
    }
    return view;
  });
}

void FakeMembers::take(const std::string& id, std::vector<ports::Lease> seen, Executor& executor,
                       Callback<std::vector<ports::Lease>> callback) {
  using Leases = std::vector<ports::Lease>;
  call<Leases>(executor, std::move(callback),
               [this, id, seen = std::move(seen)]() -> Result<Leases> {
                 if (!members_.contains(id)) return nobody(id);
                 Leases got;
                 for (const ports::Lease& lease : seen) {
                   const auto [entry, fresh] =
                       leases_.try_emplace(lease.shard, ports::Lease{lease.shard, "", 0});
                   ports::Lease& now = entry->second;
                   if (now.owner != lease.owner || now.turn != lease.turn) continue;
                   now.owner = id;
                   ++now.turn;
                   ++turns_;
                   got.push_back(now);
                 }
                 return got;
               });
}

void FakeMembers::release(const std::string& id, std::vector<ShardRef> shards, Executor& executor,
                          Callback<void> callback) {
  call<void>(executor, std::move(callback),
             [this, id, shards = std::move(shards), &executor]() -> Result<void> {
               for (const ShardRef& shard : shards) {
                 const auto found = leases_.find(shard);
                 if (found == leases_.end() || found->second.owner != id) continue;
                 found->second.owner.clear();
                 ++found->second.turn;
               }
               hint(&executor);
               return {};
             });
}

void FakeMembers::leave(const std::string& id, Executor& executor, Callback<void> callback) {
  call<void>(executor, std::move(callback), [this, id, &executor]() -> Result<void> {
    members_.erase(id);
    hint(&executor);
    return {};
  });
}

void FakeMembers::bury(const ports::Member& seen, Executor& executor, Callback<void> callback) {
  call<void>(executor, std::move(callback),
             [this, id = seen.id, heartbeat = seen.heartbeat, &executor]() -> Result<void> {
               const auto found = members_.find(id);
               if (found == members_.end() || found->second.heartbeat != heartbeat) return {};
               members_.erase(found);
               ++buried_;
               hint(&executor);
               return {};
             });
}

void FakeMembers::on_change(Executor& executor, std::function<void()> changed) {
  const std::lock_guard lock(mutex_);
  if (changed) {
    watchers_[&executor] = std::move(changed);
  } else {
    watchers_.erase(&executor);
  }
}

void FakeMembers::stand() {
  const std::lock_guard lock(mutex_);
  stands_ = true;
}

void FakeMembers::go_on() {
  const std::lock_guard lock(mutex_);
  stands_ = false;
}

void FakeMembers::forget(const Executor& executor) {
  const std::lock_guard lock(mutex_);
  watchers_.erase(const_cast<Executor*>(&executor));
}

ports::MembersView FakeMembers::view() const {
  const std::lock_guard lock(mutex_);
  ports::MembersView out;
  for (const auto& [id, member] : members_) out.members.push_back(member);
  for (const auto& [shard, lease] : leases_) out.leases.push_back(lease);
  return out;
}

std::string FakeMembers::owner(const ShardRef& shard) const {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(shard);
  return found == leases_.end() ? "" : found->second.owner;
}

std::size_t FakeMembers::turns() const {
  const std::lock_guard lock(mutex_);
  return turns_;
}

std::size_t FakeMembers::buried() const {
  const std::lock_guard lock(mutex_);
  return buried_;
}

}  // namespace host::fakes
