// The contract suite of members and leases on their fake, and the fake's own manners.

#include "tests/fakes/fake_members.h"

#include "tests/contract/contract_support.h"

namespace host::contract {
namespace {

struct FakeMembersFixture {
  explicit FakeMembersFixture(fakes::FakeMembers::Manners manners = {})
      : fake(scheduler.clock(), manners, 5), lane(scheduler) {}

  ports::Members& members() { return fake; }
  Executor& executor() { return lane; }
  bool pump(const std::function<bool()>& until) { return scheduler.run_until(until); }
  void pass() { scheduler.clock().advance(std::chrono::milliseconds(1)); }

  fakes::Scheduler scheduler;
  fakes::FakeMembers fake;
  fakes::ManualExecutor lane;
};
struct AtOnce : FakeMembersFixture {};
struct Late : FakeMembersFixture {
  Late() : FakeMembersFixture({.delay = std::chrono::milliseconds(20)}) {}
};

}  // namespace
using MembersFixtures = std::tuple<AtOnce, Late>;
}  // namespace host::contract

#include "tests/contract/members_contract.h"

namespace host::contract {

TEST_CASE("others are hinted at what changes, unless the hint is lost", "[members]") {
  const bool lost = GENERATE(false, true);
  MembersCase<FakeMembersFixture> m;
  fakes::FakeMembers members(m.f.scheduler.clock(), {.lost_hint = lost ? 1.0 : 0.0});
  fakes::ManualExecutor other(m.f.scheduler);
  int hints = 0;
  members.on_change(other, [&] { ++hints; });
  const auto ignore = [](const auto&) {};
  members.join({.id = "a"}, m.f.executor(), ignore);
  members.take("a", {m.fresh(0)}, m.f.executor(), ignore);
  members.release("a", {{"owls", 0}}, m.f.executor(), ignore);
  members.beat("a", true, m.f.executor(), ignore);
  members.beat("a", true, m.f.executor(), ignore);  // nothing new
  members.leave("a", m.f.executor(), ignore);
  REQUIRE(m.f.scheduler.run_until_idle());
  CHECK(hints == (lost ? 0 : 4));
  members.on_change(other, nullptr);
  members.join({.id = "b"}, m.f.executor(), ignore);
  REQUIRE(m.f.scheduler.run_until_idle());
  CHECK(hints == (lost ? 0 : 4));
}

TEST_CASE("members that stand answer after a while that they are away", "[members]") {
  MembersCase<FakeMembersFixture> m;
  m.f.fake.stand();
  const Result<void> joined = m.join("a");
  CHECK(joined.error().code == Error::Code::unavailable);
  CHECK(joined.error().retryable);
  m.f.fake.go_on();
  CHECK(m.ids().empty());
}

}  // namespace host::contract
