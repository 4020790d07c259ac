// Hosts that share a deployment by leases, through random histories: they join, leave, are killed,
// stand and go on, the servers fail, forget hints and stand. At the end every transfer is booked
// once on both sides, in order per payer, and every shard is served.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <sstream>

#include "host/core/partition.h"
#include "tests/runtime/owning_host.h"

namespace host {
namespace {

using ledger::Account;
using ledger::Transfer;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PartitionNumber kPartitions = 5;
constexpr std::size_t kMostHosts = 3;

class History {
 public:
  explicit History(std::uint64_t seed, bool fenced = true)
      : random_(seed),
        servers_(kPartitions, manners(fenced), seed | 1),
        batch_(1 + random_() % 20) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto draw = static_cast<unsigned>(random_() % 200);
      std::erase_if(hosts_, [](const auto& host) { return host->left(); });
      if (hosts_.empty() || (draw < 4 && hosts_.size() < kMostHosts)) start();
      if (draw < 60) {
        draw % 5 == 0 ? send_through_door() : send();
      } else if (draw < 63) {
        hosts_.erase(hosts_.begin() + static_cast<std::ptrdiff_t>(random_() % hosts_.size()));
      } else if (draw < 67) {
        OwningHost& host = some();
        host.paused() ? host.resume() : host.pause();
      } else if (draw < 70) {
        if (OwningHost& host = some(); !host.leaving()) host.leave();
      } else if (draw < 72) {
        servers_.members.stand();
      } else if (draw < 76) {
        servers_.members.go_on();
      } else if (draw < 100) {
        pass(milliseconds(random_() % (draw < 80 ? 8'000 : 300)));
      } else {
        for (auto n = static_cast<unsigned>(random_() % 30); n > 0 && servers_.scheduler.run_one();
             --n) {
        }
      }
    }
  }

  /// Brings everything to rest; then says what is wrong, nothing where all is well.
  std::string wrong() {
    std::string why = settle();
    for (const ports::DeadLetter& letter : servers_.store.dead()) {
      return "dead letter " + letter.id + ": " + letter.error.to_string();
    }
    if (why.empty()) why = wrong_books();
    return why.empty() ? wrong_shares() : why;
  }

  std::size_t transfers() const { return sent_.size(); }
  std::size_t buried() const { return servers_.members.buried(); }
  double fences() const { return servers_.metrics.value("host_fences_total"); }

 private:
  enum class Outcome { sent, refused, unknown };
  struct Sent {
    Transfer transfer;
    bool door = false;
    Outcome outcome = Outcome::sent;
  };

  Servers::Manners manners(bool fenced) {
    Servers::Manners manners;
    manners.log = {.gap = 0.1,
                   .repeat = 0.1,
                   .unassign = 0.02,
                   .unknown = 0.03,
                   .partly = 0.03,
                   .delay = milliseconds(random_() % 5),
                   .fetch_records = random_() % 6};
    manners.store = {.not_now = 0.02,
                     .unknown = 0.01,
                     .unavailable = 0.01,
                     .no_fence = !fenced,
                     .delay = milliseconds(random_() % 5)};
    manners.members = {.unavailable = 0.01, .lost_hint = 0.2, .delay = milliseconds(random_() % 5)};
    return manners;
  }
  void start() { hosts_.push_back(std::make_unique<OwningHost>(servers_, batch_)); }
  OwningHost& some() { return *hosts_[random_() % hosts_.size()]; }
  void pass(Duration d) { REQUIRE(servers_.scheduler.advance(d)); }

  std::size_t shards_served() const {
    std::size_t served = 0;
    for (PartitionNumber p = 0; p < kPartitions; ++p) {
      served +=
          std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& host) { return host->runs(p); })
              ? 1
              : 0;
    }
    return served;
  }

  Transfer make_transfer() {
    Transfer t;
    t.id = static_cast<int>(sent_.size());
    t.payer = ledger::account(static_cast<int>(random_() % ledger::kAccounts));
    t.payee = ledger::account(static_cast<int>(random_() % ledger::kAccounts));
    t.amount = 1 + static_cast<int>(random_() % 100);
    return t;
  }
  void send() {
    const Transfer t = make_transfer();
    const std::string place = "world/source/0/1-" + std::to_string(t.id + 1);
    REQUIRE_FALSE(servers_.log.append_now({{.topic = "transfers",
                                            .partition = partition_of(t.payer, kPartitions),
                                            .key = t.payer,
                                            .payload = t.text(),
                                            .headers = {{header::kOrigin, place}}}}));
    sent_.push_back({t});
  }
  void send_through_door() {
    const Transfer t = make_transfer();
    sent_.push_back({t, true, Outcome::unknown});
    std::vector<Emit> emits;
    emits.push_back({.topic = "transfers", .key = t.payer, .payload = t.text(), .headers = {}});
    some().send(random_() % 2, std::move(emits), [this, id = t.id](const Result<void>& result) {
      Outcome& outcome = sent_.at(static_cast<std::size_t>(id)).outcome;
      if (result.ok()) {
        outcome = Outcome::sent;
      } else if (result.error().code == Error::Code::unavailable) {
        outcome = Outcome::refused;
      }
    });
  }

  std::string settle() {
    servers_.members.go_on();
    for (const auto& host : hosts_) host->resume();
    start();
    start();
    for (int i = 0, quiet = 0; i < 600; ++i) {
      pass(seconds(1));
      std::erase_if(hosts_, [](const auto& host) { return host->left(); });
      const bool served = shards_served() == static_cast<std::size_t>(kPartitions);
      const bool all_quiet =
          std::all_of(hosts_.begin(), hosts_.end(), [](const auto& host) { return host->quiet(); });
      quiet = served && all_quiet ? quiet + 1 : 0;
      if (quiet == 20) return {};
    }
    return std::to_string(shards_served()) + " shards are served and there is no rest";
  }

  /// Each transfer on both sides as often as its sender was told, those of the log in order.
  std::string wrong_books() {
    std::map<int, int> debited, credited;
    int total = 0;
    for (int n = 0; n < ledger::kAccounts; ++n) {
      const std::string key = ledger::account(n);
      const Account found =
          Account::parse(servers_.store.state({"ledger", partition_of(key, kPartitions)}, key));
      total += found.balance;
      int last = -1;
      for (int id : found.debits) {
        ++debited[id];
        if (sent_.at(static_cast<std::size_t>(id)).door) continue;
        if (id <= last) return key + ": " + std::to_string(id) + " after " + std::to_string(last);
        last = id;
      }
      for (int id : found.credits) ++credited[id];
    }
    for (const Sent& sent : sent_) {
      const int id = sent.transfer.id;
      const bool told = (sent.outcome == Outcome::sent && debited[id] != 1) ||
                        (sent.outcome == Outcome::refused && debited[id] != 0);
      if (told || debited[id] > 1 || credited[id] != debited[id]) {
        return sent.transfer.text() + (sent.door ? ", through a door," : "") + " was debited " +
               std::to_string(debited[id]) + " and credited " + std::to_string(credited[id]) +
               " times";
      }
    }
    return total == 0 ? "" : "the balance is " + std::to_string(total);
  }

  /// At rest nothing moves, and shares are fair.
  std::string wrong_shares() {
    const std::size_t turns = servers_.members.turns();
    pass(seconds(30));
    if (servers_.members.turns() != turns) return "leases move at rest";
    std::size_t least = SIZE_MAX, most = 0;
    for (const auto& host : hosts_) {
      least = std::min(least, host->shards());
      most = std::max(most, host->shards());
    }
    return most - least <= 1 ? "" : "shares are not fair";
  }

  std::mt19937_64 random_;
  Servers servers_;
  const std::size_t batch_;
  std::vector<std::unique_ptr<OwningHost>> hosts_;
  std::vector<Sent> sent_;
};

long number_of(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atol(text) : otherwise;
}

}  // namespace

TEST_CASE("hosts that share shards by leases lose, double and reorder nothing", "[simulation]") {
  std::size_t transfers = 0, buried = 0;
  double fences = 0;
  const long histories = number_of("HISTORIES", 200);
  for (long i = 0; i < histories; ++i) {
    const auto seed = static_cast<std::uint64_t>(number_of("SEED", 1) + i);
    INFO("seed " << seed);
    History history(seed);
    history.run(600);
    REQUIRE(history.wrong() == "");
    transfers += history.transfers();
    buried += history.buried();
    fences += history.fences();
  }
  WARN(histories << " histories, " << transfers << " transfers, " << buried << " buried, " << fences
                 << " fences");
  REQUIRE(buried > 0);
  REQUIRE(fences > 0);
}

TEST_CASE("without the store's fence they would: the simulation can tell", "[simulation]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    History history(seed, false);
    history.run(600);
    if (!history.wrong().empty()) {
      SUCCEED("with seed " << seed);
      return;
    }
  }
  FAIL("nobody noticed that there is no fence");
}

}  // namespace host
