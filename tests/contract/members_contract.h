#pragma once

// The contract of ports/members.h. Whoever includes it names its fixtures before:
//
//     namespace host::contract { using MembersFixtures = std::tuple<FakeFixture>; }
//
// A fixture is default-constructible, each one a fresh deployment without members, and has
//
//     ports::Members& members();
//     Executor& executor();  // runs its work inside pump() only, on the test's thread
//     bool pump(const std::function<bool()>& until);
//     void pass();           // time goes on: a heartbeat after it is newer than one before it

#include "host/ports/members.h"
#include "tests/contract/contract_support.h"

namespace host::contract {

/// What the cases say to a fixture's members.
template <class F>
struct MembersCase {
  using Code = Error::Code;

  Result<void> join(const std::string& id, std::vector<std::string> plugins = {"owls"}) {
    Answer<Result<void>> answer;
    f.members().join({.id = id, .plugins = std::move(plugins), .admin = "10.0.0.1:8081"},
                     f.executor(), answer.taker());
    return await(f, answer);
  }
  Result<void> beat(const std::string& id, bool leaving = false) {
    f.pass();
    Answer<Result<void>> answer;
    f.members().beat(id, leaving, f.executor(), answer.taker());
    return await(f, answer);
  }
  ports::MembersView look() {
    Answer<Result<ports::MembersView>> answer;
    f.members().look(f.executor(), answer.taker());
    return must(std::move(await(f, answer)));
  }
  Result<std::vector<ports::Lease>> take(const std::string& id, std::vector<ports::Lease> seen) {
    Answer<Result<std::vector<ports::Lease>>> answer;
    f.members().take(id, std::move(seen), f.executor(), answer.taker());
    return std::move(await(f, answer));
  }
  void release(const std::string& id, std::vector<ShardRef> shards) {
    Answer<Result<void>> answer;
    f.members().release(id, std::move(shards), f.executor(), answer.taker());
    must(await(f, answer));
  }
  void leave(const std::string& id) {
    Answer<Result<void>> answer;
    f.members().leave(id, f.executor(), answer.taker());
    must(await(f, answer));
  }
  void bury(const ports::Member& seen) {
    Answer<Result<void>> answer;
    f.members().bury(seen, f.executor(), answer.taker());
    must(await(f, answer));
  }
  static ports::Lease fresh(PartitionNumber number) { return {{"owls", number}, "", 0}; }
  ports::Lease lease(const ShardRef& shard) {
    for (const ports::Lease& each : look().leases) {
      if (each.shard == shard) return each;
    }
    return {shard, "", 0};
  }
  /// Ids in the order of the view.
  std::vector<std::string> ids() {
    std::vector<std::string> out;
    for (const ports::Member& member : look().members) out.push_back(member.id);
    return out;
  }

  F f;
};
using Ids = std::vector<std::string>;

TEMPLATE_LIST_TEST_CASE("a member that joined is seen by all as it is", "[members]",
                        MembersFixtures) {
  MembersCase<TestType> m;
  CHECK(m.look().members.empty());
  must(m.join("b", {"owls", "places"}));
  must(m.join("a", {}));
  const ports::MembersView view = m.look();
  REQUIRE(m.ids() == Ids{"a", "b"});
  CHECK(view.members[0].plugins.empty());
  CHECK(view.members[1].plugins == std::vector<std::string>{"owls", "places"});
  CHECK(view.members[1].admin == "10.0.0.1:8081");
  CHECK_FALSE(view.members[1].leaving);
  CHECK(view.leases.empty());
}

TEMPLATE_LIST_TEST_CASE("an id is a member once, also after it left or was buried", "[members]",
                        MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  must(m.join("b"));
  CHECK(m.join("a").error().code == Error::Code::conflict);
  m.leave("a");
  m.leave("a");
  m.leave("nobody");
  m.bury(m.look().members.at(0));
  CHECK(m.ids().empty());
  CHECK(m.join("a").error().code == Error::Code::conflict);
  CHECK(m.join("b").error().code == Error::Code::conflict);
  CHECK(m.ids().empty());
}

TEMPLATE_LIST_TEST_CASE("a beat is a newer heartbeat, and says who is leaving", "[members]",
                        MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  m.f.pass();
  must(m.join("b"));
  const ports::MembersView before = m.look();
  CHECK(before.members[0].heartbeat < before.members[1].heartbeat);
  must(m.beat("a", true));
  const ports::MembersView after = m.look();
  CHECK(after.members[0].heartbeat > before.members[1].heartbeat);
  CHECK(after.members[0].leaving);
  CHECK(after.members[1].heartbeat == before.members[1].heartbeat);
  must(m.beat("a", false));
  CHECK_FALSE(m.look().members[0].leaving);
  CHECK(m.beat("nobody").error().code == Error::Code::not_found);
}

TEMPLATE_LIST_TEST_CASE("a lease is had by who saw it as it is", "[members]", MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  must(m.join("b"));
  const PartitionNumber door = kFirstDoor + 1;
  const auto got = must(m.take("a", {m.fresh(3), m.fresh(0), m.fresh(door)}));
  REQUIRE(got.size() == 3);
  for (const ports::Lease& lease : got) {
    CHECK(lease.owner == "a");
    CHECK(lease.turn > 0);
  }
  const ports::MembersView view = m.look();
  REQUIRE(view.leases.size() == 3);
  CHECK(view.leases[0].shard == ShardRef{"owls", 0});
  CHECK(view.leases[1].shard == ShardRef{"owls", 3});
  CHECK(view.leases[2].shard == ShardRef{"owls", door});

  // Of what b saw only one is still so.
  const auto other = must(m.take("b", {m.fresh(0), m.fresh(1), m.fresh(3)}));
  REQUIRE(other.size() == 1);
  CHECK(other[0].shard == ShardRef{"owls", 1});
  CHECK(m.lease({"owls", 0}).owner == "a");
  // Also from another owner, and then what its owner saw is old.
  const ports::Lease seen = m.lease({"owls", 3});
  REQUIRE(must(m.take("b", {seen})).size() == 1);
  CHECK(m.lease({"owls", 3}).owner == "b");
  CHECK(m.lease({"owls", 3}).turn > seen.turn);
  CHECK(must(m.take("a", {seen})).empty());
  CHECK(must(m.take("a", {})).empty());
}

TEMPLATE_LIST_TEST_CASE("of two that saw the same, one has it", "[members]", MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  must(m.join("b"));
  std::vector<ports::Lease> all;
  for (PartitionNumber p = 0; p < 16; ++p) all.push_back(m.fresh(p));
  const std::vector<ports::Lease> backwards(all.rbegin(), all.rend());
  Answer<Result<std::vector<ports::Lease>>> first, second;
  m.f.members().take("a", all, m.f.executor(), first.taker());
  m.f.members().take("b", backwards, m.f.executor(), second.taker());
  CHECK(must(await(m.f, first)).size() + must(await(m.f, second)).size() == 16);
  std::size_t owned = 0;
  for (const ports::Lease& lease : m.look().leases) owned += lease.owner.empty() ? 0 : 1;
  CHECK(owned == 16);
}

TEMPLATE_LIST_TEST_CASE("who is no member takes nothing", "[members]", MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  m.leave("a");
  CHECK(m.take("a", {m.fresh(0)}).error().code == Error::Code::not_found);
  CHECK(m.take("nobody", {m.fresh(0)}).error().code == Error::Code::not_found);
  CHECK(m.lease({"owls", 0}).owner.empty());
}

TEMPLATE_LIST_TEST_CASE("what its owner releases is nobody's, and only that", "[members]",
                        MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  must(m.join("b"));
  must(m.take("a", {m.fresh(0), m.fresh(1)}));
  must(m.take("b", {m.fresh(2)}));
  const ports::Lease before = m.lease({"owls", 0});
  m.release("a", {{"owls", 0}, {"owls", 2}, {"owls", 9}, {"places", 0}});
  CHECK(m.lease({"owls", 0}).owner.empty());
  CHECK(m.lease({"owls", 0}).turn > before.turn);
  CHECK(m.lease({"owls", 1}).owner == "a");
  CHECK(m.lease({"owls", 2}).owner == "b");
  m.release("a", {});
  CHECK(must(m.take("b", {before})).empty());
  CHECK(must(m.take("b", {m.lease({"owls", 0})})).size() == 1);
}

TEMPLATE_LIST_TEST_CASE("leases keep the name of a member that is gone", "[members]",
                        MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  must(m.join("b"));
  must(m.join("c"));
  must(m.take("a", {m.fresh(0)}));
  must(m.take("b", {m.fresh(1)}));
  m.leave("a");
  m.bury(m.look().members.at(0));
  CHECK(m.ids() == Ids{"c"});
  CHECK(m.lease({"owls", 0}).owner == "a");
  CHECK(m.lease({"owls", 1}).owner == "b");
  CHECK(m.beat("a").error().code == Error::Code::not_found);
  CHECK(m.beat("b").error().code == Error::Code::not_found);
  REQUIRE(must(m.take("c", m.look().leases)).size() == 2);
  CHECK(m.lease({"owls", 1}).owner == "c");
}

TEMPLATE_LIST_TEST_CASE("who has beaten since it was seen is not buried", "[members]",
                        MembersFixtures) {
  MembersCase<TestType> m;
  must(m.join("a"));
  const ports::Member seen = m.look().members.at(0);
  must(m.beat("a"));
  m.bury(seen);
  CHECK(m.ids() == Ids{"a"});
  must(m.beat("a"));
  m.bury({.id = "nobody"});
  m.bury(m.look().members.at(0));
  CHECK(m.ids().empty());
}

TEMPLATE_LIST_TEST_CASE("no callback of members comes inside the call, each comes once",
                        "[members]", MembersFixtures) {
  MembersCase<TestType> m;
  Answer<Result<void>> joined, beaten, released, buried, left;
  Answer<Result<ports::MembersView>> seen;
  Answer<Result<std::vector<ports::Lease>>> taken;
  ports::Members& members = m.f.members();
  Executor& executor = m.f.executor();
  members.join({.id = "a"}, executor, joined.taker());
  members.beat("a", false, executor, beaten.taker());
  members.look(executor, seen.taker());
  members.take("a", {m.fresh(0)}, executor, taken.taker());
  members.release("a", {{"owls", 0}}, executor, released.taker());
  members.bury({.id = "b"}, executor, buried.taker());
  members.leave("a", executor, left.taker());
  const auto calls = [&] {
    return joined.calls() + beaten.calls() + seen.calls() + taken.calls() + released.calls() +
           buried.calls() + left.calls();
  };
  CHECK(calls() == 0);
  CHECK(m.f.pump([&] { return calls() >= 7; }));
  m.look();
  CHECK(calls() == 7);
}

}  // namespace host::contract
