// Hosts that share a deployment by leases, one fault at a time, in virtual time.
#include <catch2/catch.hpp>

#include "host/core/partition.h"
#include "tests/runtime/owning_host.h"

namespace host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PartitionNumber kPartitions = 7;

struct World : Servers {
  explicit World(Duration store_delay = {})
      : Servers(kPartitions, {.store = {.delay = store_delay}}) {}

  OwningHost& start() {
    hosts.push_back(std::make_unique<OwningHost>(*this));
    return *hosts.back();
  }
  void pass(Duration d) { REQUIRE(scheduler.advance(d)); }
  bool served(PartitionNumber shard) const {
    return std::any_of(hosts.begin(), hosts.end(),
                       [&](const auto& host) { return host->runs(shard); });
  }
  bool all_served() const {
    for (PartitionNumber p = 0; p < kPartitions; ++p) {
      if (!served(p)) return false;
    }
    return true;
  }
  /// How long until all shards are served; at most `most`.
  Duration until_served(Duration most) {
    Duration passed{};
    for (; !all_served() && passed < most; passed += milliseconds(10)) pass(milliseconds(10));
    return passed;
  }
  std::vector<std::size_t> shares() const {
    std::vector<std::size_t> out;
    for (const auto& host : hosts) out.push_back(host->shards());
    std::sort(out.begin(), out.end());
    return out;
  }
  void end(OwningHost& host) {
    std::erase_if(hosts, [&](const auto& each) { return each.get() == &host; });
  }
  void transfer(int id) {
    const ledger::Transfer t{id, ledger::account(id % 8), ledger::account((id + 3) % 8), 1};
    REQUIRE_FALSE(log.append_now(
        {{.topic = "transfers",
          .partition = partition_of(t.payer, kPartitions),
          .key = t.payer,
          .payload = t.text(),
          .headers = {{header::kOrigin, "world/source/0/1-" + std::to_string(id + 1)}}}}));
  }
  /// Ids that were debited, over all accounts.
  std::size_t booked(bool debits) const {
    std::size_t count = 0;
    for (int n = 0; n < ledger::kAccounts; ++n) {
      const std::string key = ledger::account(n);
      const auto account =
          ledger::Account::parse(store.state({"ledger", partition_of(key, kPartitions)}, key));
      count += debits ? account.debits.size() : account.credits.size();
    }
    return count;
  }

  std::vector<std::unique_ptr<OwningHost>> hosts;
};
using Shares = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a host that is alone has every shard at once, and a door a lane", "[ownership]") {
  World w;
  OwningHost& host = w.start();
  w.pass(milliseconds(10));
  REQUIRE(host.shards() == kPartitions);
  REQUIRE(host.door_open(0));
  REQUIRE(host.door_open(1));
}

TEST_CASE("hosts that join get their share, gracefully, and then nothing moves", "[ownership]") {
  World w;
  w.start();
  w.pass(seconds(5));
  w.start();
  w.pass(seconds(3));
  REQUIRE(w.shares() == Shares{3, 4});
  w.start();
  w.pass(seconds(3));
  REQUIRE(w.shares() == Shares{2, 2, 3});
  const std::size_t turns = w.members.turns();
  w.pass(seconds(120));
  REQUIRE(w.members.turns() == turns);
  REQUIRE(w.shares() == Shares{2, 2, 3});
  REQUIRE(w.store.fenced() == 0);
}

TEST_CASE("the shards of a host that is stopped are served again within a second", "[ownership]") {
  World w;
  OwningHost& leaver = w.start();
  w.start();
  w.start();
  w.pass(seconds(5));
  for (int i = 0; i < 100; ++i) w.transfer(i);
  w.pass(milliseconds(5));
  leaver.leave();
  Duration longest{};
  for (int i = 0; i < 300; ++i) {
    const Duration gap = w.until_served(seconds(5));
    longest = std::max(longest, gap);
    w.pass(milliseconds(10));
  }
  REQUIRE(leaver.left());
  REQUIRE(longest <= seconds(1));
  w.end(leaver);
  REQUIRE(w.shares() == Shares{3, 4});
  REQUIRE(w.members.view().members.size() == 2);
  w.pass(seconds(5));
  REQUIRE(w.booked(true) == 100);
  REQUIRE(w.booked(false) == 100);
  REQUIRE(w.store.fenced() == 0);
}

TEST_CASE("the shards of a killed host are served again within 15 s", "[ownership]") {
  World w;
  OwningHost& victim = w.start();
  w.start();
  if (GENERATE(true, false)) w.start();
  w.pass(seconds(4) + GENERATE(milliseconds(0), milliseconds(700), milliseconds(1'999)));
  victim.kill();
  w.end(victim);
  const Duration gap = w.until_served(seconds(20));
  REQUIRE(gap > seconds(6));
  REQUIRE(gap <= seconds(15));
  REQUIRE(w.members.buried() == 1);
}

TEST_CASE("a host that stood for 20 s is fenced, drops everything and joins anew", "[ownership]") {
  World w;
  OwningHost& zombie = w.start();
  w.start();
  w.pass(seconds(5));
  const std::string before = zombie.member();
  for (int i = 0; i < 200; ++i) w.transfer(i);
  REQUIRE(w.scheduler.run_one());
  zombie.pause();
  w.pass(seconds(20));
  REQUIRE(w.all_served());
  for (int i = 200; i < 300; ++i) w.transfer(i);
  zombie.resume();
  w.pass(seconds(5));
  REQUIRE(zombie.member() != before);
  REQUIRE(w.shares() == Shares{3, 4});
  w.pass(seconds(5));
  REQUIRE(w.booked(true) == 300);
  REQUIRE(w.booked(false) == 300);
}

TEST_CASE("a store of members that stands for long moves nothing", "[ownership]") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.start();
    w.pass(milliseconds(700));  // their beats are apart
  }
  w.pass(seconds(6));
  const std::size_t turns = w.members.turns();
  w.members.stand();
  w.pass(seconds(20));
  REQUIRE(w.all_served());
  w.members.go_on();
  w.pass(seconds(30));
  REQUIRE(w.members.turns() == turns);
  REQUIRE(w.members.buried() == 0);
  REQUIRE(w.store.fenced() == 0);
}

TEST_CASE("a store that was away gives its shards back to who has their leases", "[ownership]") {
  World w;
  w.start();
  w.start();
  w.pass(seconds(5));
  const std::size_t turns = w.members.turns();
  w.store.stop();
  w.members.stand();
  for (int i = 0; i < 50; ++i) w.transfer(i);
  w.pass(seconds(10));
  w.store.restart();
  w.members.go_on();
  w.pass(seconds(5));
  REQUIRE(w.all_served());
  REQUIRE(w.booked(true) == 50);
  REQUIRE(w.booked(false) == 50);
  REQUIRE(w.members.turns() == turns);
}

TEST_CASE("what a killed host's door had committed and not sent others send", "[ownership]") {
  World w;
  OwningHost& victim = w.start();
  w.start();
  w.pass(seconds(5));
  w.log.hold_appends(fakes::FakeLog::Hold::writes);
  std::vector<Emit> emits;
  for (int id = 0; id < 5; ++id) {
    const ledger::Transfer t{id * 8, ledger::account(id), ledger::account(id + 1), 1};
    emits.push_back({.topic = "transfers", .key = t.payer, .payload = t.text(), .headers = {}});
  }
  bool committed = false;
  victim.send(0, emits, [&](Result<void> result) { committed = result.ok(); });
  w.pass(milliseconds(10));
  REQUIRE(committed);
  victim.kill();
  w.end(victim);
  w.log.release_appends();
  w.pass(seconds(20));
  REQUIRE(w.booked(true) == 5);
  REQUIRE(w.booked(false) == 5);
  // Its slots are free again, and not given to the survivor, which has its own.
  std::size_t released = 0;
  for (const ports::Lease& lease : w.members.view().leases) {
    if (lease.shard.number >= kFirstDoor && lease.owner.empty()) ++released;
  }
  REQUIRE(released == 2);
}

TEST_CASE("doors are slots that are used again", "[ownership]") {
  World w;
  w.start();
  for (int i = 0; i < 5; ++i) {
    OwningHost& host = w.start();
    w.pass(seconds(5));
    i % 2 == 0 ? host.leave() : host.kill();
    w.pass(seconds(20));
    w.end(host);
  }
  std::size_t doors = 0;
  for (const ports::Lease& lease : w.members.view().leases) {
    if (lease.shard.number >= kFirstDoor) ++doors;
  }
  REQUIRE(doors == 4);
}

TEST_CASE("a rolling restart under load fences nobody, and books everything once", "[ownership]") {
  World w(milliseconds(20));  // a commit is often on its way when its shard has to go
  for (int i = 0; i < 3; ++i) w.start();
  w.pass(seconds(5));
  int sent = 0;
  Duration longest{}, gap{};
  const auto load = [&](Duration d) {
    for (Duration passed{}; passed < d; passed += milliseconds(10)) {
      w.transfer(sent++);
      w.pass(milliseconds(10));
      gap = w.all_served() ? Duration{} : gap + milliseconds(10);
      longest = std::max(longest, gap);
    }
  };
  for (int i = 0; i < 3; ++i) {
    OwningHost& old = *w.hosts.front();
    old.leave();
    load(seconds(3));
    REQUIRE(old.left());
    w.end(old);
    w.start();
    load(seconds(3));
  }
  w.pass(seconds(10));
  REQUIRE(w.shares() == Shares{2, 2, 3});
  REQUIRE(w.booked(true) == static_cast<std::size_t>(sent));
  REQUIRE(w.booked(false) == static_cast<std::size_t>(sent));
  REQUIRE(longest <= seconds(1));
  REQUIRE(w.store.fenced() == 0);
}

}  // namespace host
