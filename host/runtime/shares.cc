#include "host/runtime/shares.h"

#include <algorithm>
#include <set>

#include "host/runtime/sabotage.h"

namespace host::runtime {
namespace {

using ports::Lease;
using ports::Member;
using ports::MembersView;

constexpr Duration kDeadAfter = std::chrono::seconds(8);
/// A beat of 2 s, with some room for timers that are not exact.
constexpr Duration kSeenAgain = std::chrono::milliseconds(1'900);

bool runs(const Member& member, const std::string& plugin) {
  return std::find(member.plugins.begin(), member.plugins.end(), plugin) != member.plugins.end();
}

std::set<std::string> ids_of(const MembersView& view) {
  std::set<std::string> ids;
  for (const Member& member : view.members) ids.insert(member.id);
  return ids;
}

/// Who begins where in a list, so that two do not always want the same.
std::size_t start_of(const std::string& self, std::size_t size) {
  return size == 0 ? 0 : std::hash<std::string>()(self) % size;
}

/// How many of `missing` the member should give, when always the one that has most gives.
std::size_t part_of(std::map<std::string, int> owned, int missing, const std::string& self) {
  std::size_t part = 0;
  for (; missing > 0; --missing) {
    const auto most =
        std::max_element(owned.begin(), owned.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    --most->second;
    if (most->first == self) ++part;
  }
  return part;
}

}  // namespace

Moves shard_moves(const MembersView& view, const std::string& self, const std::string& plugin,
                  PartitionNumber partitions) {
  std::map<std::string, int> owned;
  for (const Member& member : view.members) {
    if (!member.leaving && runs(member, plugin)) owned[member.id] = 0;
  }
  if (!owned.contains(self)) return {};
  const std::set<std::string> there = ids_of(view);
  std::map<PartitionNumber, Lease> free;
  for (PartitionNumber p = 0; p < partitions; ++p) free[p] = {{plugin, p}, "", 0};
  for (const Lease& lease : view.leases) {
    if (lease.shard.plugin != plugin || lease.shard.number >= partitions) continue;
    if (const auto owner = owned.find(lease.owner); owner != owned.end()) {
      ++owner->second;
      free.erase(lease.shard.number);
    } else if (there.contains(lease.owner)) {
      free.erase(lease.shard.number);  // of one that is leaving: it will be released
    } else {
      free[lease.shard.number] = lease;
    }
  }
  const int members = static_cast<int>(owned.size());
  const int floor = partitions / members, ceil = (partitions + members - 1) / members;
  int lacking = 0;
  for (const auto& [id, count] : owned) lacking += std::max(0, floor - count);
  const int mine = owned[self];
  const int spare = static_cast<int>(free.size()) - lacking;
  int wanted = std::max(0, floor - mine);
  if (wanted == 0 && mine < ceil && spare > 0) wanted = 1;
  Moves moves;
  std::vector<Lease> all;
  for (auto& [number, lease] : free) all.push_back(std::move(lease));
  const std::size_t first = start_of(self, all.size());
  for (std::size_t i = 0; i < all.size() && wanted > 0; ++i, --wanted) {
    moves.take.push_back(all[(first + i) % all.size()]);
  }
  moves.give =
      std::max(part_of(owned, -spare, self), static_cast<std::size_t>(std::max(0, mine - ceil)));
  return moves;
}

Moves door_moves(const MembersView& view, const std::string& self, const std::string& plugin,
                 std::size_t wanted) {
  const std::set<std::string> there = ids_of(view);
  Moves moves;
  std::vector<Lease> released;
  std::size_t mine = 0;
  PartitionNumber next = kFirstDoor;
  for (const Lease& lease : view.leases) {
    if (lease.shard.plugin != plugin || lease.shard.number < kFirstDoor) continue;
    next = std::max(next, lease.shard.number + 1);
    if (lease.owner == self) {
      ++mine;
    } else if (lease.owner.empty()) {
      released.push_back(lease);
    } else if (!there.contains(lease.owner) && !sabotage::kDoorNotEmptied) {
      moves.take.push_back(lease);
    }
  }
  std::size_t lacking = wanted - std::min(wanted, mine + moves.take.size());
  const std::size_t first = start_of(self, released.size());
  for (std::size_t i = 0; i < released.size() && lacking > 0; ++i, --lacking) {
    moves.take.push_back(released[(first + i) % released.size()]);
  }
  for (; lacking > 0; --lacking) moves.take.push_back({{plugin, next++}, "", 0});
  return moves;
}

std::vector<Member> Deaths::found(const MembersView& view, const std::string& self) {
  Time newest{}, own{};
  for (const Member& member : view.members) {
    newest = std::max(newest, member.heartbeat);
    if (member.id == self) own = member.heartbeat;
  }
  std::vector<Member> dead;
  std::map<std::string, Suspect> suspects;
  for (const Member& member : view.members) {
    if (member.id == self || newest - member.heartbeat <= kDeadAfter) continue;
    const auto known = suspects_.find(member.id);
    const bool again = known != suspects_.end() && known->second.heartbeat == member.heartbeat;
    const Suspect suspect = again ? known->second : Suspect{member.heartbeat, newest};
    suspects[member.id] = suspect;
    if ((again && own - suspect.newest >= kSeenAgain) || sabotage::kDeadAtFirstSight) {
      dead.push_back(member);
    }
  }
  suspects_ = std::move(suspects);
  return dead;
}

}  // namespace host::runtime
