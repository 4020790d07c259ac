// The real shards of several processes, on fakes with the manners of real servers, through random
// histories: processes are killed, stopped and continued, the log repeats and leaves gaps, commits
// fail or end with an unknown outcome, SQL fails, handlers raise, wait, retry, set timers. At the
// end every transfer must be booked once on both sides, in order per payer.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <sstream>

#include "host/core/partition.h"
#include "host/runtime/asks.h"
#include "host/runtime/shard.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/seeded_chance.h"
#include "tests/runtime/ledger.h"

namespace host {
namespace {

using namespace ledger;
using runtime::Shard;

constexpr PartitionNumber kPartitions = 2;

/// One process: a lane with all shards. Killed, stopped and continued as a whole.
struct Process {
  Process(fakes::Scheduler& scheduler, fakes::FakeLog& log, fakes::FakeStore& store,
          fakes::SeededChance& chance, fakes::RecordingMetrics& metrics,
          fakes::RecordingLogger& logger, const ports::Store::Identity& identity, std::size_t small)
      : lane(scheduler), env{log,    store, scheduler.clock(), chance, metrics,
                             logger, asks,  identity,          "",     {},
                             false} {
    env.limits.batch_messages = small;
    env.limits.input_messages = 4 * small;
    env.limits.timers_in_memory = 3;
    env.limits.states_in_memory = 600;
    env.limits.fetch_bytes = 400;
    code = std::move(*runtime::PluginCode::make(ledger::revision()));
    for (PartitionNumber p = 0; p < kPartitions; ++p) {
      shards.push_back(std::make_unique<Shard>(ShardRef{"ledger", p}, env, lane, *code));
      shards.back()->start();
    }
  }
  bool quiet() const {
    for (const auto& shard : shards) {
      const runtime::ShardStatus status = shard->status();
      if (status.status != "running" || status.lag || status.pending || status.unfinished) {
        return false;
      }
      if (status.timers > 0 || status.outbox > 0) return false;
    }
    return true;
  }

  fakes::ManualExecutor lane;
  runtime::Asks asks;
  runtime::Environment env;
  std::unique_ptr<runtime::PluginCode> code;
  std::vector<std::unique_ptr<Shard>> shards;
  bool paused = false;
};

class World {
 public:
  World(std::uint64_t seed, bool shared)
      : random_(seed),
        scheduler_(seed | 1),
        log_(scheduler_.clock(), log_manners(shared), seed),
        store_(scheduler_.clock(), log_, store_manners(), seed),
        chance_(seed),
        batch_(1 + random_() % 20) {
    std::vector<ports::TopicSettings> topics;
    for (const char* name : {"transfers", "orders", "credits", "ledger.inbox"}) {
      topics.push_back({.name = name, .partitions = kPartitions});
    }
    REQUIRE(log_.ensure_topics(topics).ok());
    identity_ = *store_.open_deployment(kPartitions);
  }
  ~World() {
    while (!processes_.empty()) kill(0);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const unsigned draw = static_cast<unsigned>(random_() % 100);
      if (processes_.empty() || (draw < 2 && processes_.size() < 2)) start();
      if (draw < 25) {
        send();
      } else if (draw < 28 && !processes_.empty()) {
        kill(random_() % processes_.size());
      } else if (draw < 31) {
        pause_or_resume();
      } else if (draw < 40) {
        REQUIRE(scheduler_.advance(std::chrono::milliseconds(random_() % 40)));
      } else {
        for (unsigned n = static_cast<unsigned>(random_() % 30); n > 0 && scheduler_.run_one();
             --n) {
        }
      }
    }
  }

  void settle() {
    while (!processes_.empty()) kill(0);
    start();
    const Time limit = scheduler_.clock().now() + std::chrono::minutes(10);
    int quiet = 0;
    while (quiet < 5 && scheduler_.clock().now() < limit) {
      REQUIRE(scheduler_.advance(std::chrono::seconds(1)));
      quiet = processes_[0]->quiet() ? quiet + 1 : 0;
    }
    std::ostringstream left;
    for (const auto& shard : processes_[0]->shards) {
      const runtime::ShardStatus s = shard->status();
      left << s.status << " lag " << s.lag << " pending " << s.pending << " timers " << s.timers
           << " outbox " << s.outbox << " unfinished " << s.unfinished << "; ";
    }
    INFO(left.str());
    REQUIRE(quiet == 5);
  }

  void check() {
    for (const ports::DeadLetter& letter : store_.dead()) {
      FAIL("dead letter " << letter.id << ": " << letter.reason << " " << letter.error.to_string());
    }
    std::map<int, int> debited, credited;
    int total = 0;
    for (int n = 0; n < kAccounts; ++n) {
      const std::string key = account(n);
      const ShardRef shard{"ledger", partition_of(key, kPartitions)};
      const Account found = Account::parse(store_.state(shard, key));
      total += found.balance;
      std::map<std::string, int> last;  // by the way that it came: within one topic order holds
      for (int id : found.debits) {
        ++debited[id];
        const Transfer& t = sent_.at(static_cast<std::size_t>(id));
        REQUIRE(t.payer == key);
        if (ordered_[static_cast<std::size_t>(id)]) {
          INFO("payer " << key << ": " << id << " after " << last["debit"]);
          REQUIRE(last["debit"] <= id);
          last["debit"] = id;
        }
      }
      for (int id : found.credits) {
        ++credited[id];
        const Transfer& t = sent_.at(static_cast<std::size_t>(id));
        REQUIRE(t.payee == key);
        if (ordered_[static_cast<std::size_t>(id)] && way_of(t) != Way::timer) {
          INFO("payee " << key << " from " << t.payer << ": " << id << " after " << last[t.payer]);
          REQUIRE(last[t.payer] <= id);
          last[t.payer] = id;
        }
      }
    }
    REQUIRE(total == 0);
    for (const Transfer& t : sent_) {
      INFO("transfer " << t.text());
      REQUIRE(debited[t.id] == 1);
      REQUIRE(credited[t.id] == 1);
    }
    check_sql();
  }
  std::size_t sent() const { return sent_.size(); }

 private:
  fakes::FakeLog::Manners log_manners(bool shared) {
    fakes::FakeLog::Manners manners;
    manners.shares_store = shared;
    if (!shared) {
      manners.gap = 0.1;
      manners.repeat = 0.1;
      manners.unassign = 0.02;
      manners.unknown = 0.05;
      manners.partly = 0.05;
    }
    manners.delay = std::chrono::milliseconds(random_() % 5);
    manners.fetch_records = random_() % 6;
    return manners;
  }
  fakes::FakeStore::Manners store_manners() {
    return {.not_now = 0.02,
            .unknown = 0.01,
            .unavailable = 0.01,
            .delay = std::chrono::milliseconds(random_() % 5)};
  }

  void start() {
    processes_.push_back(std::make_unique<Process>(scheduler_, log_, store_, chance_, metrics_,
                                                   logger_, identity_, batch_));
  }
  void kill(std::size_t which) {
    Process& process = *processes_[which];
    process.lane.kill();
    log_.forget(process.lane);
    store_.forget(process.lane);
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(which));
  }
  void pause_or_resume() {
    if (processes_.empty()) return;
    Process& process = *processes_[random_() % processes_.size()];
    process.paused = !process.paused;
    process.paused ? process.lane.pause() : process.lane.resume();
  }
  void send() {
    Transfer t;
    t.id = static_cast<int>(sent_.size());
    t.payer = account(static_cast<int>(random_() % kAccounts));
    t.payee = account(static_cast<int>(random_() % kAccounts));
    t.amount = 1 + static_cast<int>(random_() % 100);
    const bool order = random_() % 8 == 0;  // keyed by another account: goes through the inbox
    const std::string key = order ? account(static_cast<int>(random_() % kAccounts)) : t.payer;
    const std::string topic = order ? "orders" : "transfers";
    // As from another host, so that what the log repeats is known as a repeat.
    const std::string place = "world/source/0/1-" + std::to_string(t.id + 1);
    REQUIRE_FALSE(log_.append_now({{.topic = topic,
                                    .partition = partition_of(key, kPartitions),
                                    .key = key,
                                    .payload = t.text(),
                                    .headers = {{header::kOrigin, place}}}}));
    sent_.push_back(t);
    ordered_.push_back(!order);
  }
  void check_sql() {
    std::map<std::string, int> ran;
    for (const auto& entry : store_.sql()) ++ran[entry.statement.text];
    for (const Transfer& t : sent_) {
      if (way_of(t) == Way::sql) REQUIRE(ran["insert " + t.text()] == 1);
    }
  }

  std::mt19937_64 random_;
  fakes::Scheduler scheduler_;
  fakes::FakeLog log_;
  fakes::FakeStore store_;
  fakes::SeededChance chance_;
  fakes::RecordingMetrics metrics_;
  fakes::RecordingLogger logger_;
  ports::Store::Identity identity_;
  const std::size_t batch_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<Transfer> sent_;
  std::vector<bool> ordered_;
};

int histories() {
  const char* text = std::getenv("HISTORIES");
  return text != nullptr ? std::atoi(text) : 300;
}
std::uint64_t first_seed() {
  const char* text = std::getenv("SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

void simulate(bool shared) {
  std::size_t transfers = 0;
  for (int i = 0; i < histories(); ++i) {
    const std::uint64_t seed = first_seed() + static_cast<std::uint64_t>(i);
    INFO("seed " << seed << (shared ? ", one store" : ", log apart"));
    World world(seed, shared);
    world.run(300);
    world.settle();
    world.check();
    transfers += world.sent();
  }
  WARN(histories() << " histories, " << transfers << " transfers");
  REQUIRE(transfers > 0);
}

}  // namespace

TEST_CASE("shards lose, double and reorder nothing where log and store are one", "[simulation]") {
  simulate(true);
}

TEST_CASE("shards lose, double and reorder nothing with a log apart, as Kafka is", "[simulation]") {
  simulate(false);
}

}  // namespace host
