// The real Runtime on real lanes; made for the thread sanitizer.
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <future>
#include <thread>

#include "host/runtime/runtime.h"
#include "tests/fakes/fake_members.h"
#include "tests/runtime/fake_responder.h"
#include "tests/runtime/shard_fixture.h"

namespace host {
namespace {

constexpr PartitionNumber kPartitions = 4;

class SystemClock : public ports::Clock {
 public:
  Time now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
};

ports::Step ask(const std::string& key) {
  return fakes::wait_for(
      {.id = 1,
       .what =
           ports::AskEffect{.message = {.topic = "in", .key = key, .payload = "ask", .headers = {}},
                            .timeout = seconds(60)}});
}

/// Counts "in" in its key's state and hands every third on to "in2", which counts, too.
std::shared_ptr<const ports::Revision> revision(int n) {
  fakes::FakeScript script;
  script.manifest.name = "p";
  script.manifest.revision = "r" + std::to_string(n);
  script.manifest.has_state = true;
  for (const char* topic : {"in", "in2"}) {
    script.manifest.on.push_back({.topic = topic, .key_field = "", .once = {}, .retry = {}});
  }
  for (const char* pattern : {"/one", "/three", "/ask"}) {
    Manifest::Route route;
    route.method = "POST";
    route.pattern = pattern;
    script.manifest.routes.push_back(std::move(route));
  }
  if (n % 2 == 0) std::swap(script.manifest.routes[0], script.manifest.routes[1]);
  script.handler = [routes = script.manifest.routes](const ports::Call& call,
                                                     const Answers& answers) {
    const bool http = call.kind == ports::Call::Kind::http;
    if (answers.empty() && (http || call.message->payload != "x")) return query();
    UnitOfWork unit;
    if (!http && call.message->payload == "ask") {
      unit.reply = "heard " + *call.message->key;
      return fakes::done(std::move(unit));
    }
    if (http && routes.at(call.route).pattern == "/ask") {
      if (answers.size() == 1) return ask(call.request.body);
      ports::Step step;
      step.http = ports::HttpOutcome{
          .response = json_response(200, std::get<std::string>(answers.at(1))), .unit = {}};
      return step;
    }
    if (http) {
      const int emits = routes.at(call.route).pattern == "/one" ? 1 : 3;
      for (int i = 0; i < emits; ++i) {
        unit.emits.push_back(
            {.topic = "in", .key = "http-" + std::to_string(i), .payload = "x", .headers = {}});
      }
      ports::Step step;
      step.http = ports::HttpOutcome{.response = json_response(202, call.request.path),
                                     .unit = std::move(unit)};
      return step;
    }
    const int count = std::stoi(call.state.bytes.value_or("0")) + 1;
    unit.state = StateChange{std::to_string(count)};
    if (call.message->topic == "in" && count % 3 == 0) {
      unit.emits.push_back(
          {.topic = "in2", .key = "z" + *call.message->key, .payload = "x", .headers = {}});
    }
    return fakes::done(std::move(unit));
  };
  return fakes::make_revision(std::move(script));
}

runtime::Environment environment(Outside& w, ports::Clock& clock, runtime::Asks& asks) {
  return {w.log, w.store,        clock, w.chance, w.metrics, w.logger,
          asks,  w.env.identity, "",    {},       false};
}

int count_of(Outside& w, const std::string& key) {
  return std::stoi(w.store.state({"p", partition_of(key, kPartitions)}, key).value_or("0"));
}

}  // namespace

TEST_CASE("lanes under load, new code, requests and a stop while busy lose and double nothing",
          "[runtime_threads]") {
  const bool shared = GENERATE(true, false);
  Outside w(shared, kPartitions);
  SystemClock clock;
  const runtime::Environment env = environment(w, clock, w.asks);
  std::map<std::string, int> sent;
  std::vector<std::pair<std::string, std::shared_ptr<fakes::Exchange>>> requests;
  const auto send = [&](int i) {
    const std::string key = "k" + std::to_string(i % 17);
    w.append("in", key, i % 5 ? "x" : "query");
    ++sent[key];
  };
  const auto request = [&](runtime::Runtime& runtime, int i) {
    auto exchange = std::make_shared<fakes::Exchange>();
    HttpRequest r;
    r.method = "POST";
    r.target = r.path = i % 2 ? "/one" : "/three";
    requests.emplace_back(r.path, exchange);
    const int number = i % runtime.lanes();
    runtime.lane(number).post([&runtime, number, r, exchange] {
      runtime.gateway(number).handle(
          r, std::make_unique<fakes::FakeResponder>(exchange, runtime.lane(number)));
    });
  };
  {
    runtime::Runtime runtime(env, {.lanes = 2, .ready = [] { return HttpResponse{}; }});
    REQUIRE(runtime.add(revision(1)).ok());
    runtime.start();
    std::atomic<bool> over{false};
    std::atomic<int> failed{0};
    std::thread control([&] {
      for (int n = 2; !over; ++n) {
        if (!runtime.publish(revision(n))) ++failed;
        (void)runtime.shards();
        (void)runtime.memory();
      }
    });
    for (int i = 0; i < 3000; ++i) {
      send(i);
      if (i % 10 == 0) request(runtime, i / 10);
    }
    over = true;
    control.join();
    REQUIRE(failed == 0);
    for (int i = 0; i < 100; ++i) send(i);
    runtime.stop(Duration::zero());
    runtime.stop(seconds(1));
  }
  for (const auto& [path, exchange] : requests) {
    // One whose answer the stop overtook was dropped; an answered one went where it was sent.
    REQUIRE((exchange->answer.has_value() || exchange->dropped));
    if (exchange->answer && exchange->answer->status == 202) {
      REQUIRE(exchange->answer->body == path);
    }
  }
  for (const Record& record : w.log.records("in")) {
    if (record.key->starts_with("http-")) ++sent[*record.key];
  }
  runtime::Runtime runtime(env, {.lanes = 3, .ready = [] { return HttpResponse{}; }});
  REQUIRE(runtime.add(revision(1)).ok());
  runtime.start();
  const auto complete = [&] {
    for (const auto& [key, count] : sent) {
      if (count_of(w, key) < count || count_of(w, "z" + key) < count / 3) return false;
    }
    return true;
  };
  const auto end = std::chrono::steady_clock::now() + seconds(60);
  while (!complete() && std::chrono::steady_clock::now() < end) (void)runtime.shards();
  runtime.stop(seconds(5));
  // A door's messages that were committed and not yet in the log come with the second life.
  sent.clear();
  for (const Record& record : w.log.records("in")) {
    if (!find_header(record.headers, header::kOrigin)) ++sent[*record.key];
  }
  for (const auto& [key, count] : sent) {
    INFO(key);
    if (shared || !key.starts_with("http-")) {
      REQUIRE(count_of(w, key) == count);
      REQUIRE(count_of(w, "z" + key) == count / 3);
    } else {
      REQUIRE(count_of(w, key) >= count);
    }
  }
}

TEST_CASE("runtimes that share their servers hand shards and doors over while they run",
          "[runtime_threads]") {
  Outside w(false, kPartitions);
  SystemClock clock;
  fakes::FakeMembers members(clock);
  std::deque<runtime::Asks> asks;  // each has its own
  const auto start = [&] {
    asks.emplace_back();
    auto runtime = std::make_unique<runtime::Runtime>(
        environment(w, clock, asks.back()),
        runtime::Runtime::Settings{
            .lanes = 2, .ready = [] { return HttpResponse{}; }, .members = &members});
    REQUIRE(runtime->add(revision(1)).ok());
    runtime->start();
    return runtime;
  };
  const auto running = [](runtime::Runtime& runtime) {
    std::size_t count = 0;
    for (const runtime::ShardStatus& shard : runtime.shards()) count += shard.status == "running";
    return count;
  };
  const auto wait_for = [](const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (!done()) REQUIRE(std::chrono::steady_clock::now() < end);
  };
  // Exchanges belong to their lane while it runs.
  const auto answered = [](runtime::Runtime& runtime, const fakes::Exchange& exchange) {
    std::promise<bool> promise;
    runtime.lane(0).post([&] { promise.set_value(exchange.answer.has_value()); });
    return promise.get_future().get();
  };
  std::map<std::string, int> sent;
  const auto send = [&](int messages) {
    for (int i = 0; i < messages; ++i) {
      const std::string key = "k" + std::to_string(i % 17);
      w.append("in", key, i % 5 ? "x" : "query");
      ++sent[key];
    }
  };
  std::vector<std::shared_ptr<fakes::Exchange>> requests;
  const auto request = [&](runtime::Runtime& runtime) {
    auto exchange = std::make_shared<fakes::Exchange>();
    requests.push_back(exchange);
    HttpRequest r;
    r.method = "POST";
    r.target = r.path = "/three";
    runtime.lane(1).post([&runtime, r, exchange] {
      runtime.gateway(1).handle(r,
                                std::make_unique<fakes::FakeResponder>(exchange, runtime.lane(1)));
    });
  };
  // Of one of them, for a key of each shard: half of the replies others commit.
  const auto ask_all = [&](runtime::Runtime& runtime) {
    std::vector<std::shared_ptr<fakes::Exchange>> asked;
    for (int i = 0; i < 12; ++i) {
      asked.push_back(std::make_shared<fakes::Exchange>());
      HttpRequest r;
      r.method = "POST";
      r.target = r.path = "/ask";
      r.body = "asked-" + std::to_string(i);
      runtime.lane(0).post([&runtime, r, exchange = asked.back()] {
        runtime.gateway(0).handle(
            r, std::make_unique<fakes::FakeResponder>(exchange, runtime.lane(0)));
      });
    }
    return asked;
  };
  auto first = start();
  send(200);
  wait_for([&] { return running(*first) == kPartitions; });
  for (int round = 0; round < 4; ++round) {
    auto second = start();
    send(200);
    wait_for([&] { return running(*first) == 2 && running(*second) == 2; });
    send(200);
    const auto asked = ask_all(*second);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      wait_for([&] { return answered(*second, *asked[i]); });
      REQUIRE(asked[i]->answer->body == "heard asked-" + std::to_string(i));
    }
    request(*first);
    request(*second);
    REQUIRE(first->publish(revision(2 + round)).ok());
    first->stop(seconds(10));
    first->stop(seconds(1));
    send(200);
    wait_for([&] { return running(*second) == kPartitions; });
    first = std::move(second);
  }
  for (const Record& record : w.log.records("in")) {
    if (record.key->starts_with("http-")) sent[*record.key] = 0;
  }
  const auto complete = [&] {
    return std::all_of(sent.begin(), sent.end(), [&](const auto& entry) {
      return count_of(w, entry.first) >= entry.second &&
             count_of(w, "z" + entry.first) >= entry.second / 3;
    });
  };
  wait_for(complete);
  first->stop(seconds(10));
  for (const auto& [key, count] : sent) {
    INFO(key);
    if (key.starts_with("http-")) continue;
    REQUIRE(count_of(w, key) == count);
    REQUIRE(count_of(w, "z" + key) == count / 3);
  }
  REQUIRE(w.store.reply_reads() > 0);
  REQUIRE(members.view().members.empty());
  for (const ports::Lease& lease : members.view().leases) REQUIRE(lease.owner.empty());
  REQUIRE(w.metrics.value("host_fences_total") == 0);
}

TEST_CASE("a runtime whose lane a turn held beyond its deadline ends with what still waits",
          "[runtime_threads]") {
  Outside w(true, 1);
  SystemClock clock;
  runtime::Runtime* running = nullptr;
  std::promise<void> begun;
  fakes::FakeScript script;
  script.manifest.name = "p";
  script.manifest.revision = "r1";
  script.manifest.on.push_back({.topic = "in", .key_field = "", .once = {}, .retry = {}});
  script.admits = [](std::size_t n) { return n < 2; };
  script.handler = [&](const ports::Call& call, const Answers& answers) {
    if (call.message->payload == "long" && answers.empty()) {
      begun.set_value();
      while (!running->lane(0).io().stopped()) std::this_thread::yield();
    }
    return query();
  };
  for (const char* payload : {"waits", "long", "has no room", "has no room"}) {
    w.append("in", "k" + std::to_string(w.log.records("in").size()), payload);
  }
  {
    runtime::Runtime runtime(environment(w, clock, w.asks),
                             {.lanes = 1, .ready = [] { return HttpResponse{}; }});
    running = &runtime;
    REQUIRE(runtime.add(fakes::make_revision(std::move(script))).ok());
    runtime.start();
    begun.get_future().wait();
    runtime.stop(Duration::zero());
    REQUIRE(runtime.shards().at(0).unfinished == 2);
  }
  SUCCEED("it is gone");
}

}  // namespace host
