#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/ports/members.h"

namespace host::runtime {

/// What a member should do about the leases of one plugin, as one view shows them. Every member
/// decides by itself; where their views differ they may take too few or give too many, and the next
/// looks mend it. Where nothing changes any more, nothing moves.
struct Moves {
  std::vector<ports::Lease> take;  // to be had by compare-and-set
  std::size_t give = 0;            // so many of its shards, those included that are on their way
};

/// Fair shares of a plugin's shards: every living member that runs the plugin, and is not leaving,
/// has floor or ceil of shards / members. What nobody living owns is taken, first by those below
/// the floor; where all are owned and somebody is below the floor, who has most gives.
Moves shard_moves(const ports::MembersView& view, const std::string& self,
                  const std::string& plugin, PartitionNumber partitions);

/// Doors, which every process has as many of as it wants: slots that are used again, those of gone
/// members first, because what these left to be sent is sent by who takes them. All of these are
/// taken, wanted or not.
Moves door_moves(const ports::MembersView& view, const std::string& self, const std::string& plugin,
                 std::size_t wanted);

/// Says which members are dead: those whose heartbeat is 8 s older than the newest heartbeat of
/// any, seen twice, and between the two the observer has beaten 2 s after the newest heartbeat of
/// the first. So when the store stood for long and the first one beats again, the others have
/// their time to do so, too. All of these times are the store's. Only for one observer.
class Deaths {
 public:
  std::vector<ports::Member> found(const ports::MembersView& view, const std::string& self);

 private:
  struct Suspect {
    Time heartbeat{};
    Time newest{};  // of all, when it was first seen so
  };
  std::map<std::string, Suspect> suspects_;
};

}  // namespace host::runtime
