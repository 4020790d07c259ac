#include "host/runtime/shares.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace host::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ports::Member member(const std::string& id, std::vector<std::string> plugins = {"p"}) {
  return {.id = id, .plugins = std::move(plugins)};
}

/// "a:3 b:2 -:1": who owns how many shards of "p", in the order of their numbers.
std::vector<ports::Lease> leases(const std::vector<std::pair<std::string, int>>& owners) {
  std::vector<ports::Lease> out;
  for (const auto& [owner, count] : owners) {
    for (int i = 0; i < count; ++i) {
      out.push_back({{"p", static_cast<PartitionNumber>(out.size())}, owner, 7});
    }
  }
  return out;
}

PartitionNumber size_of(const ports::MembersView& view) {
  return static_cast<PartitionNumber>(view.leases.size());
}
Moves moves(const ports::MembersView& view, const std::string& self) {
  return shard_moves(view, self, "p", size_of(view));
}

}  // namespace

TEST_CASE("who is alone takes everything, also what was never taken", "[shares]") {
  const ports::MembersView view{{member("a")}, {{{"p", 2}, "", 5}}};
  const Moves m = shard_moves(view, "a", "p", 4);
  REQUIRE(m.take.size() == 4);
  REQUIRE(m.give == 0);
  for (const ports::Lease& lease : m.take) REQUIRE(lease.turn == (lease.shard.number == 2 ? 5 : 0));
}

TEST_CASE("who does not run the plugin, or is leaving, takes nothing and counts for nothing",
          "[shares]") {
  ports::MembersView view{{member("a"), member("b", {"q"}), member("c")}, leases({{"", 6}})};
  view.members[2].leaving = true;
  REQUIRE(moves(view, "a").take.size() == 6);
  REQUIRE(moves(view, "b").take.empty());
  REQUIRE(moves(view, "c").take.empty());
  REQUIRE(moves(view, "nobody").take.empty());
}

TEST_CASE("what a member that is gone owns is free, what a leaving one owns is not", "[shares]") {
  ports::MembersView view{{member("a"), member("c")}, leases({{"gone", 3}, {"c", 2}})};
  view.members[1].leaving = true;
  REQUIRE(moves(view, "a").take.size() == 3);
}

TEST_CASE("who has most gives where somebody has less than the floor", "[shares]") {
  const ports::MembersView view{{member("a"), member("b"), member("c")},
                                leases({{"a", 4}, {"b", 3}, {"c", 0}})};
  REQUIRE(moves(view, "a").give + moves(view, "b").give == 2);
  REQUIRE(moves(view, "a").give >= 1);
  REQUIRE(moves(view, "c").give == 0);
  REQUIRE(moves(view, "c").take.empty());
}

TEST_CASE("where shares are fair nothing is taken and nothing given", "[shares]") {
  const ports::MembersView view{{member("a"), member("b"), member("c")},
                                leases({{"a", 2}, {"b", 3}, {"c", 2}})};
  for (const char* id : {"a", "b", "c"}) {
    REQUIRE(moves(view, id).take.empty());
    REQUIRE(moves(view, id).give == 0);
  }
}

TEST_CASE("members that decide one after the other, from any state, come to rest in balance",
          "[shares]") {
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    INFO("round " << round);
    ports::MembersView view;
    const std::size_t count = 1 + random() % 5;
    for (std::size_t i = 0; i < count; ++i) view.members.push_back(member("m" + std::to_string(i)));
    const auto partitions = static_cast<PartitionNumber>(1 + random() % 20);
    for (PartitionNumber p = 0; p < partitions; ++p) {
      const std::size_t owner = random() % (count + 1);
      view.leases.push_back({{"p", p}, owner == count ? "" : view.members[owner].id, 1});
    }
    std::size_t still = 0;
    for (int turn = 0; turn < 500 && still < count; ++turn) {
      const std::string& self = view.members[static_cast<std::size_t>(turn) % count].id;
      Moves m = moves(view, self);
      still = m.take.empty() && m.give == 0 ? still + 1 : 0;
      for (const ports::Lease& lease : m.take) {
        view.leases[static_cast<std::size_t>(lease.shard.number)].owner = self;
      }
      for (ports::Lease& lease : view.leases) {
        if (m.give > 0 && lease.owner == self) {
          lease.owner.clear();
          --m.give;
        }
      }
    }
    REQUIRE(still == count);
    std::map<std::string, int> owned;
    for (const ports::Member& each : view.members) owned[each.id] = 0;
    for (const ports::Lease& lease : view.leases) ++owned.at(lease.owner);
    const auto [least, most] =
        std::minmax_element(owned.begin(), owned.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; });
    REQUIRE(most->second - least->second <= 1);
  }
}

TEST_CASE("doors: slots of the dead are taken first, then released ones, then new ones",
          "[shares]") {
  const PartitionNumber d = kFirstDoor;
  const ports::MembersView view{{member("a"), member("b")},
                                {{{"p", d}, "b", 1},
                                 {{"p", d + 1}, "gone", 4},
                                 {{"p", d + 2}, "", 2},
                                 {{"q", d + 9}, "", 1}}};
  Moves m = door_moves(view, "a", "p", 3);
  REQUIRE(m.take.size() == 3);
  REQUIRE(m.take[0].shard == ShardRef{"p", d + 1});
  REQUIRE(m.take[1].shard == ShardRef{"p", d + 2});
  REQUIRE(m.take[2].shard == ShardRef{"p", d + 3});
  REQUIRE(m.take[2].turn == 0);
  m = door_moves(view, "b", "p", 1);
  REQUIRE(m.take.size() == 1);  // it needs none, but somebody has to empty it
  REQUIRE(m.take[0].owner == "gone");
}

TEST_CASE("a member is dead when it is 8 s behind the newest and seen so again after a beat",
          "[shares]") {
  Deaths deaths;
  const Time start{seconds(100)};
  ports::MembersView view{{member("a"), member("b"), member("c")}, {}};
  const auto beats = [&](Duration a, Duration b, Duration c) {
    view.members[0].heartbeat = start + a;
    view.members[1].heartbeat = start + b;
    view.members[2].heartbeat = start + c;
    std::vector<std::string> ids;
    for (const ports::Member& dead : deaths.found(view, "a")) ids.push_back(dead.id);
    return ids;
  };
  using Ids = std::vector<std::string>;
  REQUIRE(beats(seconds(8), seconds(0), seconds(8)) == Ids{});
  REQUIRE(beats(seconds(8), seconds(0), seconds(9)) == Ids{});   // first seen
  REQUIRE(beats(seconds(8), seconds(0), seconds(9)) == Ids{});   // we have not beaten since
  REQUIRE(beats(seconds(10), seconds(0), seconds(9)) == Ids{});  // not 2 s behind the newest then
  REQUIRE(beats(seconds(12), seconds(0), seconds(11)) == Ids{"b"});
}

TEST_CASE("after a stall that nobody beat in nobody is dead who beats again in time", "[shares]") {
  Deaths deaths;
  const Time start{seconds(100)};
  ports::MembersView view{{member("a"), member("b"), member("c")}, {}};
  view.members[0].heartbeat = start;
  view.members[1].heartbeat = start + milliseconds(900);
  view.members[2].heartbeat = start + seconds(20);  // the first one after it
  REQUIRE(deaths.found(view, "a").empty());
  view.members[0].heartbeat = start + milliseconds(20'300);
  REQUIRE(deaths.found(view, "a").empty());
  view.members[1].heartbeat = start + milliseconds(21'500);
  view.members[0].heartbeat = start + milliseconds(22'300);
  REQUIRE(deaths.found(view, "a").empty());
}

}  // namespace host::runtime
