#include <catch2/catch.hpp>

#include "tests/integration/web_fixture.h"

using namespace host;
using webtest::Client;
using webtest::Lane;

namespace {

std::string get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}
std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
void write(Lane& lane, const std::string& bytes, std::size_t stream = 0) {
  lane.run([&] {
    lane.streams.at(stream)->write(bytes, [&](bool alive) { lane.written.push_back(alive); });
  });
}

}  // namespace

TEST_CASE("requests of one connection are answered one after the other") {
  Lane lane;
  Client client(lane.port());
  for (int i = 0; i < 3; ++i) {
    client.send(post("/echo", "body " + std::to_string(i)));
    const Client::Answer answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.body == "POST /echo body " + std::to_string(i));
    CHECK(answer.header("connection").empty());
    CHECK(answer.header("x-content-type-options") == "nosniff");
    CHECK(answer.header("date").size() == 29);
  }
  client.send(get("/nowhere"));
  CHECK(client.answer().status == 404);
  CHECK(lane.stats().accepted == 1);
  CHECK(lane.stats().requests == 4);
}

TEST_CASE("pipelined answers keep the order of their requests, however late each comes") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/hold/1") + get("/echo") + get("/hold/2") + post("/echo", "last"));
  lane.release("/hold/2");
  lane.release("/hold/1");
  CHECK(client.answer().body == "/hold/1");
  CHECK(client.answer().body == "GET /echo ");
  CHECK(client.answer().body == "/hold/2");
  CHECK(client.answer().body == "POST /echo last");
}

TEST_CASE("a thousand pipelined requests are taken in portions and all answered in order") {
  Lane lane;
  Client client(lane.port());
  std::string all = get("/hold/first");
  for (int i = 0; i < 1000; ++i) all += post("/echo", std::to_string(i));
  std::thread sending([&] { client.send(all); });
  lane.wait_for("/hold/first");
  lane.wait_until([&] { return lane.asked.size() >= 64; });
  lane.run([&] { CHECK(lane.asked.size() == 64); });  // max_pipelined
  lane.release("/hold/first");
  CHECK(client.answer().body == "/hold/first");
  for (int i = 0; i < 1000; ++i) REQUIRE(client.answer().body == "POST /echo " + std::to_string(i));
  sending.join();
}

TEST_CASE("a client that asks for more than it reads is not asked on its behalf") {
  Lane lane;
  Client client(lane.port());
  std::string all;
  for (int i = 0; i < 200; ++i) all += get("/big/1000000");
  client.send(all);
  lane.wait_until([&] { return !lane.asked.empty(); });
  std::size_t before = 0;
  lane.run([&] { before = lane.asked.size(); });
  CHECK(before < 100);
  for (int i = 0; i < 200; ++i) REQUIRE(client.answer().body.size() == 1'000'000);
}

TEST_CASE("bodies come whole, announced and in chunks") {
  Lane lane;
  Client client(lane.port());
  client.send(post("/large", std::string(20'000'000, 'x')));
  CHECK(client.answer().body == "POST /large 20000000");
  std::string chunks = "POST /large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 1000; ++i) chunks += "3e8\r\n" + std::string(1000, 'y') + "\r\n";
  client.send(chunks + "0\r\n\r\n" + get("/echo"));
  CHECK(client.answer().body == "POST /large 1000000");
  CHECK(client.answer().body == "GET /echo ");
}

TEST_CASE("a client that asks whether it may send is told to go on, in its turn") {
  Lane lane;
  Client client(lane.port());
  client.send(
      get("/hold/1") +
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  lane.release("/hold/1");
  CHECK(client.answer().body == "/hold/1");
  CHECK(client.answer().status == 100);
  client.send("ok");
  CHECK(client.answer().body == "POST /echo ok");
}

TEST_CASE("a client that may not send its body is refused before it does") {
  Lane lane;
  Client client(lane.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Content-Length: 9000000\r\n\r\n");
  CHECK(client.answer().status == 413);
  CHECK(client.ended());
}

TEST_CASE("a HEAD has the head of the GET and no body") {
  Lane lane;
  Client client(lane.port());
  client.send("HEAD /big/5 HTTP/1.1\r\nHost: x\r\n\r\n" + get("/echo"));
  const Client::Answer head = client.answer(true);
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "5");
  CHECK(client.answer().body == "GET /echo ");
}

TEST_CASE("a HEAD of a stream ends with its head") {
  Lane lane;
  Client client(lane.port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" + get("/echo"));
  CHECK(client.answer(true).header("content-type") == "text/event-stream");
  CHECK(client.answer().body == "GET /echo ");
  lane.wait_until([&] { return lane.closed_streams == 1; });
  write(lane, "x");
  lane.wait_until([&] { return lane.written == std::vector<bool>{false}; });
}

TEST_CASE("an old client is served: closed after the answer unless it asks otherwise") {
  Lane lane;
  Client client(lane.port());
  client.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(client.answer().header("connection") == "keep-alive");
  client.send("GET /echo HTTP/1.0\r\n\r\n");
  CHECK(client.answer().header("connection") == "close");
  CHECK(client.ended());
}

TEST_CASE("what is asked after Connection: close is not looked at") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/echo", "Connection: close\r\n") + get("/echo"));
  CHECK(client.answer().header("connection") == "close");
  CHECK(client.ended());
  lane.run([&] { CHECK(lane.asked.size() == 1); });
}

TEST_CASE("the server as a whole may be asked for its options") {
  Lane lane;
  Client client(lane.port());
  client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.answer().status == 204);
}

TEST_CASE("a request that is dropped, or whose handler raises, gets a 500") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/drop") + get("/raise") + get("/echo"));
  const Client::Answer dropped = client.answer();
  CHECK(dropped.status == 500);
  CHECK(dropped.header("content-type") == "application/problem+json");
  const Client::Answer raised = client.answer();
  CHECK(raised.status == 500);
  CHECK(raised.body.find("defect") == std::string::npos);
  CHECK(client.answer().status == 200);
}

TEST_CASE("a client that closed one half still gets its answers") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/hold/1") + get("/echo"));
  client.close_sending();
  lane.wait_for("/hold/1");
  lane.wait_until([&] { return !lane.held.at("/hold/1")->alive(); });
  lane.release("/hold/1");
  CHECK(client.answer().body == "/hold/1");
  CHECK(client.answer().body == "GET /echo ");
  CHECK(client.ended());
}

TEST_CASE("a request and the end of its client that come in one go are both seen") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/echo"));
  client.answer();
  lane.run([&] {  // the loop sees nothing of what happens here
    client.send(get("/echo"));
    client.close_sending();
    client.delivered();
  });
  CHECK(client.answer().body == "GET /echo ");
  CHECK(client.ended());
}

TEST_CASE("a client that sends much lets others have their turn in between") {
  Lane lane;
  Client much(lane.port());
  Client little(lane.port());
  for (Client* client : {&much, &little}) {
    client->send(get("/echo"));
    client->answer();
  }
  lane.run([&] {
    lane.asked.clear();
    much.send(post("/hold/much", std::string(40'000, 'm')));
    much.delivered();
    little.send(get("/hold/little"));
    little.delivered();
  });
  lane.wait_for("/hold/much");
  lane.wait_for("/hold/little");
  lane.run([&] {
    CHECK(lane.asked == std::vector<std::string>{"GET /hold/little", "POST /hold/much"});
  });
}

TEST_CASE("answers leave when the turn is over, and those that are there leave with a server") {
  Lane lane;
  Client first(lane.port());
  Client second(lane.port());
  for (Client* client : {&first, &second}) {
    client->send(get("/echo"));
    client->answer();
  }
  SECTION("of one round of the loop") {
    bool early = true;
    lane.on_asked = [&](const std::string& path) {
      if (path == "/big/2") early = first.has_bytes();
    };
    lane.run([&] {  // the loop sees nothing of what happens here
      first.send(get("/big/1"));
      first.delivered();
      second.send(get("/big/2"));
      second.delivered();
    });
    CHECK(first.answer().body == "b");
    CHECK(second.answer().body == "bb");
    lane.run([&] { CHECK_FALSE(early); });
  }
  SECTION("of one piece of work on the lane") {
    first.send(get("/hold/first"));
    second.send(get("/hold/second"));
    lane.wait_for("/hold/first");
    lane.wait_for("/hold/second");
    lane.run([&] {
      for (auto& [path, responder] : lane.held) {
        CHECK_FALSE(first.has_bytes());
        responder->respond({.status = 200, .headers = {}, .body = path});
      }
    });
    CHECK(first.answer().body == "/hold/first");
    CHECK(second.answer().body == "/hold/second");
  }
  SECTION("of a server that ends in the same turn") {
    first.send(get("/hold/first"));
    lane.wait_for("/hold/first");
    lane.run([&] {
      lane.held.at("/hold/first")->respond({.status = 200, .headers = {}, .body = "done"});
      lane.server.reset();
    });
    CHECK(first.answer().body == "done");
    CHECK(second.ended());
  }
}

TEST_CASE("an answer to a client that went away has no effect") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/hold/1"));
  lane.wait_for("/hold/1");
  lane.run([&] { CHECK(lane.held.at("/hold/1")->alive()); });
  client.reset();
  lane.wait_until([&] { return !lane.held.at("/hold/1")->alive(); });
  lane.release("/hold/1");
  CHECK(lane.stats().connections == 0);
}

TEST_CASE("a stream sends what is written, and the connection lives on") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/stream"));
  CHECK(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked") != std::string::npos);
  lane.wait_until([&] { return lane.streams.size() == 1; });
  write(lane, "data: one\n\n");
  CHECK(client.read_until("\r\n") == "b\r\n");
  CHECK(client.read_until("\n\n\r\n") == "data: one\n\n\r\n");
  write(lane, "");  // an empty chunk would end the body
  write(lane, "data: two\n\n");
  CHECK(client.read_until("\n\n\r\n") == "b\r\ndata: two\n\n\r\n");
  lane.wait_until([&] { return lane.written == std::vector<bool>{true, true, true}; });
  lane.run([&] { lane.streams[0]->finish(); });
  CHECK(client.read_until("\r\n\r\n") == "0\r\n\r\n");
  client.send(get("/echo"));
  CHECK(client.answer().body == "GET /echo ");
  lane.run([&] { CHECK(lane.closed_streams == 0); });
}

TEST_CASE("a stream waits for its turn behind an earlier request") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/hold/1") + get("/stream"));
  lane.wait_until([&] { return lane.streams.size() == 1; });
  write(lane, "early");
  lane.run([&] {
    lane.streams[0]->finish();
    CHECK(lane.written.empty());
  });
  lane.release("/hold/1");
  CHECK(client.answer().body == "/hold/1");
  CHECK(client.answer().body == "early");
  lane.wait_until([&] { return lane.written == std::vector<bool>{true}; });
}

TEST_CASE("a stream to an old client ends with the connection") {
  Lane lane;
  Client client(lane.port());
  client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.find("chunked") == std::string::npos);
  CHECK(head.find("Connection: close") != std::string::npos);
  lane.wait_until([&] { return lane.streams.size() == 1; });
  write(lane, "all");
  lane.run([&] { lane.streams[0]->finish(); });
  CHECK(client.rest() == "all");
}

TEST_CASE("a stream is told when its client reads no more, and when it does again") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/stream"));
  client.read_until("\r\n\r\n");
  lane.wait_until([&] { return lane.streams.size() == 1; });
  const std::size_t size = 60'000'000;  // more than the kernel takes
  write(lane, std::string(size, 'x'));
  lane.run([&] { CHECK(lane.written.empty()); });
  client.read_until("\r\n");
  CHECK(client.read_until("x\r\n").size() == size + 2);
  lane.wait_until([&] { return lane.written == std::vector<bool>{true}; });
}

TEST_CASE("a stream is told that its client went away, in the middle of a write too") {
  const bool writing = GENERATE(false, true);
  const bool hard = GENERATE(false, true);
  Lane lane;
  Client client(lane.port());
  client.send(get("/stream"));
  client.read_until("\r\n\r\n");
  lane.wait_until([&] { return lane.streams.size() == 1; });
  if (writing) write(lane, std::string(60'000'000, 'x'));
  if (hard) {
    client.reset();
  } else {
    client.close();
  }
  lane.wait_until([&] { return lane.closed_streams == 1; });
  if (writing) lane.wait_until([&] { return lane.written == std::vector<bool>{false}; });
  lane.run([&] { lane.written.clear(); });
  write(lane, "late");
  lane.wait_until([&] { return lane.written == std::vector<bool>{false}; });
  lane.run([&] { lane.streams[0]->finish(); });
  CHECK(lane.stats().connections == 0);
}

TEST_CASE("a stream that is dropped unfinished breaks off, so that nobody takes it for whole") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/stream"));
  client.read_until("\r\n\r\n");
  lane.wait_until([&] { return lane.streams.size() == 1; });
  write(lane, "half");
  lane.wait_until([&] { return lane.written.size() == 1; });
  lane.run([&] { lane.streams.clear(); });
  CHECK(client.rest() == "4\r\nhalf\r\n");
}

TEST_CASE("draining answers what is under way, closes what is idle and refuses the rest") {
  Lane lane;
  Client idle(lane.port());
  idle.send(get("/echo"));
  idle.answer();
  Client busy(lane.port());
  busy.send(get("/hold/1") + get("/hold/2"));
  Client half(lane.port());
  half.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha");
  Client streaming(lane.port());
  streaming.send(get("/stream"));
  streaming.read_until("\r\n\r\n");
  lane.wait_for("/hold/2");
  lane.wait_until([&] { return lane.server->stats().connections == 4; });

  std::future<void> drained = lane.drain();
  CHECK(idle.ended());
  CHECK(streaming.rest() == "0\r\n\r\n");
  lane.wait_until([&] { return lane.closed_streams == 1; });
  CHECK_THROWS(Client(lane.port()));
  half.send("lf");
  const Client::Answer finished = half.answer();
  CHECK(finished.body == "POST /echo half");
  CHECK(finished.header("connection") == "close");
  CHECK(half.ended());
  lane.release("/hold/2");
  lane.release("/hold/1");
  CHECK(busy.answer().header("connection").empty());
  CHECK(busy.answer().header("connection") == "close");
  CHECK(busy.ended());
  CHECK(drained.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE(
    "a request that has arrived when draining begins is answered, though nobody has read it") {
  Lane lane;
  Client idle(lane.port());
  idle.send(get("/echo"));
  idle.answer();
  std::unique_ptr<Client> queued;
  auto drained = std::make_shared<std::promise<void>>();
  lane.run([&] {  // the loop sees nothing of what happens here
    idle.send(get("/echo"));
    idle.delivered();
    if (!webtest::Wire::tls()) {  // with TLS nothing is asked before the server has greeted
      queued = std::make_unique<Client>(lane.port());
      queued->send(get("/echo"));
      queued->delivered();
    }
    lane.server->drain([drained] { drained->set_value(); });
  });
  for (Client* client : {&idle, queued.get()}) {
    if (client == nullptr) continue;
    const Client::Answer answer = client->answer();
    CHECK(answer.body == "GET /echo ");
    CHECK(answer.header("connection") == "close");
    CHECK(client->ended());
    client->close();
  }
  CHECK(drained->get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE("draining twice, and when nothing is open, calls back each time") {
  Lane lane;
  for (int i = 0; i < 2; ++i) {
    CHECK(lane.drain().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  }
}

TEST_CASE("a stream that begins while the server drains is over at once") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/hold/1"));
  lane.wait_for("/hold/1");
  std::future<void> drained = lane.drain();
  lane.run([&] {
    lane.streams.push_back(lane.held.at("/hold/1")->stream(
        {.status = 200, .headers = {}, .body = {}}, ports::HttpResponder::Body::events));
    lane.streams[0]->on_close([&] { ++lane.closed_streams; });
    lane.held.clear();
  });
  const Client::Answer answer = client.answer();
  CHECK(answer.body.empty());
  CHECK(answer.header("connection") == "close");
  lane.wait_until([&] { return lane.closed_streams == 1; });
  CHECK(drained.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE("a body that must be whole is sent to its end while the server drains") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/whole"));
  client.read_until("\r\n\r\n");
  write(lane, "1\n");
  CHECK(client.read_until("1\n\r\n") == "2\r\n1\n\r\n");
  std::future<void> drained = lane.drain();
  lane.run([&] { CHECK(lane.closed_streams == 0); });
  write(lane, "2\n");
  CHECK(client.read_until("2\n\r\n") == "2\r\n2\n\r\n");
  lane.run([&] { lane.streams[0]->finish(); });
  CHECK(client.read_until("\r\n\r\n") == "0\r\n\r\n");
  CHECK(client.ended());
  CHECK(drained.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE("a body that must be whole and is dropped ends without its last chunk") {
  Lane lane;
  Client client(lane.port());
  client.send(get("/whole"));
  client.read_until("\r\n\r\n");
  write(lane, "1\n");
  CHECK(client.read_until("1\n\r\n") == "2\r\n1\n\r\n");
  lane.run([&] { lane.streams.clear(); });
  CHECK(client.ended());
}

TEST_CASE(
    "a server that is destroyed while busy drops its clients; who still answers has no effect") {
  Lane lane;
  Client busy(lane.port());
  busy.send(get("/hold/1"));
  Client streaming(lane.port());
  streaming.send(get("/stream"));
  streaming.read_until("\r\n\r\n");
  lane.wait_for("/hold/1");
  write(lane, std::string(60'000'000, 'x'));
  lane.run([&] { lane.server.reset(); });
  lane.wait_until([&] { return lane.closed_streams == 1; });
  lane.wait_until([&] { return lane.written == std::vector<bool>{false}; });
  lane.run([&] {
    CHECK_FALSE(lane.held.at("/hold/1")->alive());
    lane.streams[0]->finish();
  });
  lane.release("/hold/1");
  CHECK(busy.ended());
}

TEST_CASE("lanes share one address, and the kernel spreads the connections") {
  Lane lane;
  Lane neighbour;  // only its loop is used
  std::unique_ptr<web::Server> second;
  neighbour.run([&] {
    auto server = web::Server::listen(neighbour.io, lane.address, neighbour, Lane::quick());
    REQUIRE(server);
    second = std::move(*server);
  });
  std::vector<Client> clients;
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back(lane.port());
    clients.back().send(get("/echo"));
    CHECK(clients.back().answer().status == 200);
  }
  std::uint64_t there = 0;
  neighbour.run([&] {
    there = second->stats().accepted;
    second.reset();
  });
  CHECK(there > 0);
  CHECK(lane.stats().accepted > 0);
  CHECK(there + lane.stats().accepted == 64);
}

TEST_CASE("a port that another process listens on is refused, though it would share it") {
  Lane lane;
  const std::string taken = "127.0.0.1:" + std::to_string(lane.port());
  const auto address = web::Address::reserve(taken);
  REQUIRE_FALSE(address);
  CHECK(address.error().code == Error::Code::conflict);
}

TEST_CASE("IPv6 is served too") {
  auto address = web::Address::reserve("[::1]:0");
  if (!address) return;  // a machine without IPv6
  Lane lane(Lane::quick(), "[::1]:0");
  CHECK(lane.address->to_string().starts_with("[::1]:"));
  Client client(lane.port(), true);
  client.send(get("/echo"));
  CHECK(client.answer().body == "GET /echo ");
}
