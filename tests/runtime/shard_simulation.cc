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
#include "tests/runtime/script_fake.h"

namespace host {
namespace {

using runtime::Shard;

constexpr PartitionNumber kPartitions = 2;
constexpr int kAccounts = 8;

std::string account(int n) { return "account-" + std::to_string(n); }

/// "12 account-1 account-2 3": id, payer, payee, amount.
struct Transfer {
  int id = 0;
  std::string payer, payee;
  int amount = 0;

  static Transfer parse(const std::string& text) {
    Transfer t;
    std::istringstream(text) >> t.id >> t.payer >> t.payee >> t.amount;
    return t;
  }
  std::string text() const {
    return std::to_string(id) + " " + payer + " " + payee + " " + std::to_string(amount);
  }
};

/// An account's state: "balance;debit ids;credit ids".
struct Account {
  int balance = 0;
  std::vector<int> debits, credits;

  static Account parse(const std::optional<std::string>& bytes) {
    Account a;
    if (!bytes) return a;
    std::istringstream in(*bytes);
    std::size_t debits = 0, credits = 0;
    in >> a.balance >> debits >> credits;
    for (std::vector<int>* ids : {&a.debits, &a.credits}) {
      ids->resize(ids == &a.debits ? debits : credits);
      for (int& id : *ids) in >> id;
    }
    return a;
  }
  std::string text() const {
    std::ostringstream out;
    out << balance << " " << debits.size() << " " << credits.size();
    for (int id : debits) out << " " << id;
    for (int id : credits) out << " " << id;
    return out.str();
  }
};

enum class Way { plain, raises, yields, timer, sql, query, retries, reads, kCount };
Way way_of(const Transfer& t) { return static_cast<Way>(t.id % static_cast<int>(Way::kCount)); }

Emit credit(const Transfer& t) {
  return {.topic = "credits", .key = t.payee, .payload = t.text(), .headers = {}};
}

UnitOfWork debit(const ports::Call& call, const Transfer& t) {
  UnitOfWork unit;
  Account account = Account::parse(call.state->bytes);
  account.balance -= t.amount;
  account.debits.push_back(t.id);
  unit.state = StateChange{account.text()};
  if (way_of(t) == Way::timer) {
    // One timer that will run, and two that are cancelled in the same and in a later unit.
    unit.timers.push_back(TimerSet{call.message->id + "/t1", "send",
                                   call.wall_clock + std::chrono::milliseconds(30), t.text()});
    unit.timers.push_back(TimerSet{call.message->id + "/t2", "never",
                                   call.wall_clock + std::chrono::milliseconds(1), t.text()});
    unit.timers.push_back(TimerCancel{call.message->id + "/t2"});
  } else {
    unit.emits.push_back(credit(t));
  }
  return unit;
}

ports::Step ledger(const ports::Call& call, const std::vector<ports::EffectAnswer>& answers) {
  const Transfer t = Transfer::parse(call.message->payload);
  if (call.message->kind == Message::Kind::timer) {
    if (call.message->topic != "send") return fakes::raised("a cancelled timer ran");
    UnitOfWork unit;
    unit.emits.push_back(credit(t));
    if (t.id % 3 == 0 && call.message->attempt == 1) return fakes::raised("first attempt");
    return fakes::done(std::move(unit));
  }
  if (call.message->topic == "credits") {
    UnitOfWork unit;
    Account account = Account::parse(call.state->bytes);
    account.balance += t.amount;
    account.credits.push_back(t.id);
    unit.state = StateChange{account.text()};
    return fakes::done(std::move(unit));
  }
  switch (way_of(t)) {
    case Way::raises:
      if (call.message->attempt <= 2) return fakes::raised("one of the first attempts");
      break;
    case Way::yields:
      if (answers.size() < 3) return fakes::wait_for({.id = 0, .what = ports::YieldEffect{}});
      break;
    case Way::query:
      if (answers.empty()) {
        return fakes::wait_for(
            {.id = 0, .what = ports::QueryEffect{{.text = "q", .parameters = {}}}});
      }
      break;
    case Way::reads:
      if (answers.size() < 2) return fakes::wait_for({.id = 0, .what = ports::ReadEffect{t.payee}});
      break;
    case Way::retries:
      if (call.message->attempt == 1) {
        ports::Step step;
        step.outcome = Outcome{.kind = Outcome::Kind::retry, .unit = {}};
        step.outcome->delay = std::chrono::milliseconds(7);
        return step;
      }
      break;
    default:
      break;
  }
  UnitOfWork unit = debit(call, t);
  if (way_of(t) == Way::sql) {
    const bool fails = t.id % 3 == 0 && call.message->attempt == 1;
    unit.sql.push_back({.text = fails ? "fail" : "insert " + t.text(), .parameters = {}});
  }
  return fakes::done(std::move(unit));
}

std::shared_ptr<const ports::Revision> ledger_revision() {
  Manifest manifest;
  manifest.name = "ledger";
  manifest.revision = "r1";
  manifest.has_state = true;
  RetryRule retry;
  retry.attempts = 6;
  retry.backoff_min = std::chrono::milliseconds(5);
  retry.backoff_max = std::chrono::milliseconds(50);
  manifest.on.push_back({.topic = "transfers", .key_field = "", .once = {}, .retry = retry});
  manifest.on.push_back({.topic = "orders", .key_field = "payer", .once = {}, .retry = retry});
  manifest.on.push_back({.topic = "credits", .key_field = "", .once = {}, .retry = retry});
  manifest.timers.push_back({.name = "send", .retry = retry});
  manifest.timers.push_back({.name = "never", .retry = retry});
  return fakes::make_revision(
      {.manifest = std::move(manifest),
       .handler = ledger,
       .inspect = [](const std::string&, const std::string& payload) {
         return ports::Engine::Inspected{Transfer::parse(payload).payer, std::nullopt};
       }});
}

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
    code = std::move(*runtime::PluginCode::make(ledger_revision()));
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
