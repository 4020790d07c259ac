#include "tests/runtime/http_fixture.h"

namespace host {
namespace {

/// A client that follows "out" and puts the events together.
struct World : HttpWorld {
  explicit World(PartitionNumber count = 1) : HttpWorld(count) {
    follow("/all", "");
    follow("/key/:id", "id");
  }
  void follow(const std::string& pattern, const std::string& key_param) {
    Manifest::Stream stream;
    stream.topic = "out";
    stream.key_param = key_param;
    route("GET", pattern, {}).stream = stream;
  }
  struct Event {
    std::string id, name, data;
  };
  static std::vector<Event> events(const fakes::Exchange& exchange) {
    std::vector<Event> out;
    Event now;
    std::istringstream in(exchange.body);
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("id: ")) now.id = line.substr(4);
      if (line.starts_with("event: ")) now.name = line.substr(7);
      if (line.starts_with("data: ")) {
        now.data += (now.data.empty() ? "" : "\n") + line.substr(6);
      }
      if (!line.empty()) continue;
      if (!now.data.empty()) out.push_back(now);
      now = {};
    }
    return out;
  }
  static std::vector<std::string> data(const fakes::Exchange& exchange) {
    std::vector<std::string> out;
    for (const Event& event : events(exchange)) out.push_back(event.data);
    return out;
  }
};
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a stream begins now and follows what comes", "[event_stream]") {
  World w;
  w.start();
  w.append("out", "k", "before");
  const auto all = w.ask("GET", "/all");
  const auto one = w.ask("GET", "/key/a");
  w.settle();
  w.append("out", "a", "1");
  w.append("out", "b", "2");
  w.settle();
  REQUIRE(World::data(*all) == Lines{"1", "2"});
  REQUIRE(World::data(*one) == Lines{"1"});
  REQUIRE(*find_header(all->head->headers, "content-type") == "text/event-stream");
}

TEST_CASE("a line break of any kind cannot forge a field", "[event_stream]") {
  World w;
  w.start();
  const auto all = w.ask("GET", "/all");
  w.settle();
  w.append("out", "a", "x\rid: 9\r\nevent: y\nz");
  w.settle();
  REQUIRE(World::data(*all) == Lines{"x\nid: 9\nevent: y\nz"});
  REQUIRE(World::events(*all)[0].name.empty());
}

TEST_CASE("Last-Event-ID goes on exactly there, on every partition", "[event_stream]") {
  World w(3);
  w.start();
  auto client = w.ask("GET", "/all");
  w.settle();
  std::multiset<std::string> sent, got;
  std::string last;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 7; ++i) {
      const std::string text = std::to_string(round) + "." + std::to_string(i);
      w.append("out", "k" + std::to_string(i), text);
      sent.insert(text);
    }
    if (round % 3 != 1) w.settle();
    // The connection breaks after a part of the events.
    const auto events = World::events(*client);
    const std::size_t seen = events.size() * static_cast<std::size_t>(round % 4) / 3;
    for (std::size_t i = 0; i < std::min(seen, events.size()); ++i) {
      got.insert(events[i].data);
      last = events[i].id;
    }
    if (last.empty() && !events.empty()) {
      got.insert(events[0].data);
      last = events[0].id;
    }
    client->go_away();
    client = w.ask("GET", "/all", {{"last-event-id", last}});
  }
  w.settle();
  for (const auto& event : World::events(*client)) got.insert(event.data);
  REQUIRE(got == sent);
}

TEST_CASE("an id that the log does not reach any more is told as a gap", "[event_stream]") {
  World w;
  w.start();
  for (int i = 0; i < 5; ++i) w.append("out", "k", "old");
  w.log.truncate("out", 0, 3);
  const auto client = w.ask("GET", "/all", {{"last-event-id", "0-1"}});
  w.settle();
  w.append("out", "k", "new");
  w.settle();
  REQUIRE(World::events(*client).at(0).name == "gap");
  REQUIRE(World::data(*client).back() == "new");
  REQUIRE(World::events(*client).size() == 2);
}

TEST_CASE("an id beyond the log's end, or that is none, follows live", "[event_stream]") {
  World w;
  w.start();
  w.append("out", "k", "old");
  const std::string id = GENERATE("0-999", "nonsense", "0--4", "99-1");
  const auto client = w.ask("GET", "/all", {{"last-event-id", id}});
  w.settle();
  w.append("out", "k", "new");
  w.settle();
  REQUIRE(World::data(*client) == Lines{"new"});
}

TEST_CASE("a slow client is not read for, and misses nothing", "[event_stream]") {
  World w;
  w.start();
  const auto client = w.ask("GET", "/all", {}, true);
  w.settle();
  for (int i = 0; i < 50; ++i) {
    w.append("out", "k", std::to_string(i));
    w.settle();
  }
  REQUIRE(client->writes == 1);
  for (int i = 0; i < 100; ++i) {
    client->take();
    w.settle();
  }
  REQUIRE(World::data(*client).size() == 50);
  REQUIRE(client->writes <= 4);
}

TEST_CASE("a client that goes away, and a stop, end the stream", "[event_stream]") {
  World w;
  w.start();
  const auto client = w.ask("GET", "/all");
  w.settle();
  SECTION("gone") { client->go_away(); }
  SECTION("stopped, twice") {
    w.gateway.stop();
    w.gateway.stop();
  }
  w.settle();
  REQUIRE(client->finished);
  REQUIRE(w.log.waiting_fetches() == 0);
}

TEST_CASE("an every stream runs its handler again and again, in new code too", "[event_stream]") {
  World w;
  Manifest::Stream stream;
  stream.every = seconds(1);
  w.route("GET", "/tick", [](const ports::Call&, const Answers&) {
     return answer(200, "tick");
   }).stream = stream;
  w.start();
  const auto client = w.ask("GET", "/tick");
  w.pass(milliseconds(2500));
  REQUIRE(World::data(*client) == Lines{"tick", "tick", "tick"});
  SECTION("where the route stands elsewhere") {
    std::rotate(w.manifest.routes.begin(), w.manifest.routes.end() - 1, w.manifest.routes.end());
    w.publish("r2");
    w.pass(seconds(1));
    REQUIRE(World::data(*client).size() == 4);
    REQUIRE_FALSE(client->finished);
  }
  SECTION("where the route is gone the stream ends") {
    w.manifest.routes.pop_back();
    w.publish("r2");
    w.pass(seconds(2));
    REQUIRE(client->finished);
  }
}

}  // namespace host
