// Clients that repeat their requests with a key until they are answered, through random histories:
// two processes take them, are killed and started again, commits fail or end with an unknown
// outcome, the log repeats, clients lose patience and ask the other process meanwhile. At the end
// what every request asked for must have happened once, and all its answers must be the same.
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <sstream>

#include "host/core/partition.h"
#include "host/runtime/asks.h"
#include "host/runtime/door.h"
#include "host/runtime/gateway.h"
#include "host/runtime/routes.h"
#include "host/runtime/shard.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/seeded_chance.h"
#include "tests/runtime/fake_responder.h"
#include "tests/runtime/script_fake.h"

namespace host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr PartitionNumber kPartitions = 2;
constexpr int kKeys = 5;
const std::vector<std::string> kRoutes{"/send", "/ask", "/both"};

std::string key_of(int request) { return "key-" + std::to_string(request % kKeys); }

Emit work(const std::string& payload) {
  return {.topic = "in", .key = key_of(std::stoi(payload)), .payload = payload, .headers = {}};
}

ports::Step respond(int status, std::string body, std::vector<Emit> emits = {}) {
  ports::Step step;
  step.http = ports::HttpOutcome{.response = json_response(status, std::move(body)), .unit = {}};
  step.http->unit.emits = std::move(emits);
  return step;
}

/// The body is the request's number: it sends "N.1" and "N.2", or asks "N.0", or both.
ports::Step serve(const ports::Call& call, const std::vector<ports::EffectAnswer>& answers) {
  const std::string& number = call.request.body;
  if (call.request.path == "/send") {
    return respond(201, call.chance_seed.substr(32), {work(number + ".1"), work(number + ".2")});
  }
  if (answers.empty()) {
    ports::Effect effect{.id = 0, .what = ports::AskEffect{work(number + ".0"), seconds(2)}};
    return fakes::wait_for(std::move(effect));
  }
  const auto* reply = std::get_if<std::string>(&answers[0]);
  if (reply == nullptr) return respond(503, "no reply", {work(number + ".9")});
  if (call.request.path == "/ask") return respond(200, *reply);
  return respond(200, *reply, {work(number + ".1")});
}

ports::Step handle(const ports::Call& call, const std::vector<ports::EffectAnswer>& answers) {
  if (call.kind == ports::Call::Kind::http) return serve(call, answers);
  const std::string& payload = call.message->payload;
  if (std::stoi(payload) % 3 == 0 && call.message->attempt == 1) return fakes::raised("at first");
  UnitOfWork unit;
  const std::string before = call.state->bytes.value_or("");
  unit.state = StateChange{before + " " + payload};
  unit.reply = payload + " after" + before;  // handled twice, it would be another one
  return fakes::done(std::move(unit));
}

std::shared_ptr<const ports::Revision> revision() {
  Manifest manifest;
  manifest.name = "p";
  manifest.revision = "r1";
  manifest.has_state = true;
  RetryRule retry;
  retry.attempts = 5;
  retry.backoff_min = retry.backoff_max = milliseconds(10);
  manifest.on.push_back({.topic = "in", .key_field = "", .once = {}, .retry = retry});
  for (const std::string& path : kRoutes) {
    Manifest::Route route;
    route.method = "POST";
    route.pattern = path;
    route.timeout = seconds(5);
    manifest.routes.push_back(std::move(route));
  }
  return fakes::make_revision({.manifest = std::move(manifest), .handler = handle, .inspect = {}});
}

/// What the processes share.
struct Outside {
  fakes::Scheduler& scheduler;
  fakes::FakeLog& log;
  fakes::FakeStore& store;
  fakes::SeededChance& chance;
  fakes::RecordingMetrics& metrics;
  fakes::RecordingLogger& logger;
  ports::Store::Identity identity;
};

/// One process with a door; the first one has the shards.
struct Process {
  Process(const Outside& o, int number)
      : lane(o.scheduler),
        env{o.log,    o.store, o.scheduler.clock(), o.chance, o.metrics,
            o.logger, asks,    o.identity,          "",       {},
            false},
        code(std::move(*runtime::PluginCode::make(revision()))),
        door({"p", kFirstDoor + number}, env, lane),
        gateway(env, lane, {.ready = [] { return json_response(200, "{}"); }}) {
    gateway.add("p", code.get(), &door);
    gateway.publish(*runtime::Routes::make({&code->manifest()}));
    door.start();
    for (PartitionNumber p = 0; number == 0 && p < kPartitions; ++p) {
      shards.push_back(std::make_unique<runtime::Shard>(ShardRef{"p", p}, env, lane, *code));
      shards.back()->start();
    }
  }
  ~Process() {
    gateway.stop();
    gateway.abandon();
  }

  fakes::ManualExecutor lane;
  runtime::Asks asks;
  runtime::Environment env;
  std::unique_ptr<runtime::PluginCode> code;
  runtime::Door door;
  runtime::Gateway gateway;
  std::vector<std::unique_ptr<runtime::Shard>> shards;
};

struct Request {
  int number = 0;
  std::string path;
  std::vector<std::shared_ptr<fakes::Exchange>> open;  // sent, and not looked at
  std::set<std::string> answers;                       // good ones
};

class World {
 public:
  World(std::uint64_t seed, bool shared)
      : random_(seed),
        scheduler_(seed | 1),
        log_(scheduler_.clock(), log_manners(shared), seed),
        store_(scheduler_.clock(), log_, store_manners(), seed),
        chance_(seed) {
    std::vector<ports::TopicSettings> topics;
    for (const char* name : {"in", "p.inbox"}) {
      topics.push_back({.name = name, .partitions = kPartitions});
    }
    REQUIRE(log_.ensure_topics(topics).ok());
    identity_ = *store_.open_deployment(kPartitions);
    start(0);
    start(1);
  }
  ~World() {
    for (const int number : {0, 1}) kill(number);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto draw = static_cast<unsigned>(random_() % 100);
      const int which = static_cast<int>(random_() % 2);
      if (draw < 2) {
        kill(which);
        start(which);
      } else if (draw < 10) {
        requests_.push_back({.number = static_cast<int>(requests_.size()),
                             .path = kRoutes[random_() % kRoutes.size()],
                             .open = {},
                             .answers = {}});
      } else if (draw < 25 && !requests_.empty()) {
        send(requests_[random_() % requests_.size()]);
      } else if (draw < 30) {
        REQUIRE(scheduler_.advance(milliseconds(random_() % 500)));
      } else {
        for (unsigned n = static_cast<unsigned>(random_() % 30); n > 0 && scheduler_.run_one();
             --n) {
        }
      }
      for (Request& request : requests_) look_at(request);
    }
  }

  /// Everybody repeats until there are two good answers.
  void settle() {
    for (int round = 0; round < 200; ++round) {
      bool done = true;
      for (Request& request : requests_) {
        if (good_[request.number] >= 2) continue;
        done = false;
        if (request.open.empty()) send(request);
      }
      REQUIRE(scheduler_.advance(seconds(1)));
      for (Request& request : requests_) look_at(request);
      if (done) return;
    }
    FAIL("a request is never answered");
  }

  void check() {
    REQUIRE(scheduler_.advance(seconds(30)));
    for (const ports::DeadLetter& letter : store_.dead()) {
      FAIL("dead letter " << letter.id << ": " << letter.reason);
    }
    std::map<std::string, int> times;
    for (int k = 0; k < kKeys; ++k) {
      const std::string key = key_of(k);
      const ShardRef shard{"p", partition_of(key, kPartitions)};
      std::istringstream state(store_.state(shard, key).value_or(""));
      for (std::string payload; state >> payload;) ++times[payload];
    }
    std::size_t wanted = 0;
    for (const Request& request : requests_) {
      INFO(request.path << " " << request.number);
      CHECK(request.answers.size() == 1);
      const bool asks = request.path != "/send", sends = request.path != "/ask";
      const std::string number = std::to_string(request.number);
      CHECK(times[number + ".0"] == (asks ? 1 : 0));
      CHECK(times[number + ".1"] == (sends ? 1 : 0));
      CHECK(times[number + ".2"] == (asks ? 0 : 1));
      CHECK(times[number + ".9"] == 0);
      wanted += (asks ? 1 : 0) + (sends ? 1 : 0);
    }
    REQUIRE(wanted >= requests_.size());
  }
  std::size_t requests() const { return requests_.size(); }
  double replays() const { return metrics_.value("host_http_replays_total"); }

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
    manners.delay = milliseconds(random_() % 5);
    return manners;
  }
  fakes::FakeStore::Manners store_manners() {
    return {.not_now = 0.05,
            .unknown = 0.05,
            .unavailable = 0.02,
            .delay = milliseconds(random_() % 5)};
  }

  void start(int number) {
    const Outside outside{scheduler_, log_, store_, chance_, metrics_, logger_, identity_};
    processes_[number] = std::make_unique<Process>(outside, number);
  }
  void kill(int number) {
    Process& process = *processes_.at(number);
    process.lane.kill();
    log_.forget(process.lane);
    store_.forget(process.lane);
    processes_.erase(number);
  }
  void send(Request& request) {
    Process& process = *processes_.at(static_cast<int>(random_() % 2));
    HttpRequest http;
    http.method = "POST";
    http.target = http.path = request.path;
    http.headers = {{"idempotency-key", "request-" + std::to_string(request.number)}};
    http.body = std::to_string(request.number);
    request.open.push_back(std::make_shared<fakes::Exchange>());
    process.gateway.handle(
        std::move(http), std::make_unique<fakes::FakeResponder>(request.open.back(), process.lane));
  }
  void look_at(Request& request) {
    std::erase_if(request.open, [&](const std::shared_ptr<fakes::Exchange>& exchange) {
      if (!exchange->answer) return exchange->dropped;
      const HttpResponse& answer = *exchange->answer;
      if (answer.status == 200 || answer.status == 201) {
        request.answers.insert(answer.body);
        ++good_[request.number];
      } else {
        INFO(answer.status << " " << answer.body);
        const bool again = answer.status == 409 || answer.status == 503 || answer.status == 504;
        REQUIRE(again);
      }
      return true;
    });
  }

  std::mt19937_64 random_;
  fakes::Scheduler scheduler_;
  fakes::FakeLog log_;
  fakes::FakeStore store_;
  fakes::SeededChance chance_;
  fakes::RecordingMetrics metrics_;
  fakes::RecordingLogger logger_;
  ports::Store::Identity identity_;
  std::map<int, std::unique_ptr<Process>> processes_;
  std::vector<Request> requests_;
  std::map<int, int> good_;  // answers, by request
};

void simulate(bool shared) {
  constexpr std::uint64_t kHistories = 100;
  std::size_t requests = 0;
  double replays = 0;
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    INFO("seed " << seed << (shared ? ", one store" : ", log apart"));
    World world(seed, shared);
    world.run(300);
    world.settle();
    world.check();
    requests += world.requests();
    replays += world.replays();
  }
  WARN(kHistories << " histories, " << requests << " requests, " << replays << " replays");
  REQUIRE(replays > 0);
}

}  // namespace

TEST_CASE("a request with a key is done once where log and store are one", "[simulation]") {
  simulate(true);
}

TEST_CASE("a request with a key is done once with a log apart, as Kafka is", "[simulation]") {
  simulate(false);
}

}  // namespace host
