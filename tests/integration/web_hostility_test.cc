// What a hostile or broken client sends, and what it gets: the table of the server's promises.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/integration/web_fixture.h"

using namespace host;
using webtest::Client;
using webtest::Lane;

namespace {

std::string head(const std::string& more, const std::string& first = "POST /echo HTTP/1.1") {
  return first + "\r\nHost: x\r\n" + more + "\r\n";
}

struct Case {
  const char* name;
  std::string bytes;
  int status;
};

std::vector<Case> refused() {
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string five = "Content-Length: 5\r\n";
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "A: b\r\n";
  return {
      {"a head of 64 KB", head("Long: " + std::string(64 * 1024, 'x') + "\r\n"), 431},
      {"2,000 headers", head(many), 431},
      {"a target of 64 KB", head("", "GET /" + std::string(64 * 1024, 'a') + " HTTP/1.1"), 431},
      {"a body of 2 MB, announced", head("Content-Length: 2097152\r\n") + smuggled, 413},
      {"a body of 2 MB in one chunk",
       head(chunked) + "200000\r\n" + std::string(2 << 20, 'x') + "\r\n0\r\n\r\n", 413},
      {"a chunk of more than 64 bits", head(chunked) + "fffffffffffffffff\r\n" + smuggled, 400},
      {"a length of more than 64 bits", head("Content-Length: 99999999999999999999\r\n"), 400},
      {"length and encoding", head(five + chunked) + "0\r\n\r\n" + smuggled, 400},
      {"encoding and length", head(chunked + five) + "0\r\n\r\n" + smuggled, 400},
      {"two differing lengths", head(five + "Content-Length: 6\r\n") + "hello" + smuggled, 400},
      {"two equal lengths", head(five + five) + "hello" + smuggled, 400},
      {"a list of lengths", head("Content-Length: 5, 5\r\n") + "hello" + smuggled, 400},
      {"a negative length", head("Content-Length: -5\r\n") + smuggled, 400},
      {"a length with a plus", head("Content-Length: +5\r\n") + "hello" + smuggled, 400},
      {"a hexadecimal length", head("Content-Length: 0x5\r\n") + "hello" + smuggled, 400},
      {"an empty length", head("Content-Length: \r\n") + smuggled, 400},
      {"a space before the colon", head("Content-Length : 5\r\n") + "hello" + smuggled, 400},
      {"a space before the encoding's colon", head("Transfer-Encoding : chunked\r\n") + smuggled,
       400},
      {"an unknown encoding", head("Transfer-Encoding: xchunked\r\n") + smuggled, 400},
      {"an encoding before chunked", head("Transfer-Encoding: gzip, chunked\r\n") + smuggled, 400},
      {"chunked not last", head("Transfer-Encoding: chunked, identity\r\n") + smuggled, 400},
      {"chunked twice", head("Transfer-Encoding: chunked, chunked\r\n") + smuggled, 400},
      {"two encodings", head(chunked + chunked) + "0\r\n\r\n" + smuggled, 400},
      {"two encodings, one unknown", head("Transfer-Encoding: x\r\n" + chunked) + smuggled, 400},
      {"a quoted encoding", head("Transfer-Encoding: \"chunked\"\r\n") + smuggled, 400},
      {"an empty encoding", head("Transfer-Encoding:\r\n") + smuggled, 400},
      {"an encoding on HTTP/1.0", head(chunked, "POST /echo HTTP/1.0") + "0\r\n\r\n" + smuggled,
       400},
      {"a line feed in a chunk's extension",
       head(chunked) + "5;a\nb\r\nhello\r\n0\r\n\r\n" + smuggled, 400},
      {"a chunk longer than it says", head(chunked) + "3\r\nhello\r\n0\r\n\r\n" + smuggled, 400},
      {"a chunk without a length", head(chunked) + "\r\nhello\r\n0\r\n\r\n", 400},
      {"a chunk with a signed length", head(chunked) + "+5\r\nhello\r\n0\r\n\r\n", 400},
      {"a chunk with 0x", head(chunked) + "0x5\r\nhello\r\n0\r\n\r\n", 400},
      {"a line feed after a chunk's length", head(chunked) + "5\nhello\r\n0\r\n\r\n", 400},
      {"a length among the trailers", head(chunked) + "0\r\nContent-Length: 5\r\n\r\n", 400},
      {"trailers without end", head(chunked) + "0\r\nA: " + std::string(20'000, 'x'), 431},
      {"no Host", "GET /echo HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", head("Host: y\r\n"), 400},
      {"two equal Hosts", head("Host: x\r\n"), 400},
      {"a Host with a list", "GET /echo HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"a Host with a path", "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"a Host with a user", "GET /echo HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"two Hosts on HTTP/1.0", head("Host: y\r\n", "GET /echo HTTP/1.0"), 400},
      {"bare line feeds", "GET /echo HTTP/1.1\nHost: x\n\n", 400},
      {"one bare line feed", "GET /echo HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400},
      {"a bare carriage return", head("A: b\rContent-Length: 5\r\n"), 400},
      {"a folded header", head("A: b\r\n c\r\n"), 400},
      {"a header that begins with a space", "GET /echo HTTP/1.1\r\n Host: x\r\n\r\n", 400},
      {"a header without a colon", head("nonsense\r\n"), 400},
      {"a header without a name", head(": b\r\n"), 400},
      {"a NUL in a value", head(std::string("A: b\0c\r\n", 8)), 400},
      {"a NUL in a name", head(std::string("A\0: b\r\n", 7)), 400},
      {"an escape in a value", head("A: \x1b[2J\r\n"), 400},
      {"a broken Connection", head("Connection: ;;\r\n"), 400},
      {"no version", "GET /echo\r\n\r\n", 400},
      {"two spaces", "GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a tab for a space", "GET\t/echo HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a space in the target", "GET /e cho HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a version in lower case", "GET /echo http/1.1\r\nHost: x\r\n\r\n", 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/0.9", "GET /echo HTTP/0.9\r\n\r\n", 505},
      {"HTTP/1.2", "GET /echo HTTP/1.2\r\nHost: x\r\n\r\n", 505},
      {"a TLS greeting", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15),
       400},
      {"a tunnel", "CONNECT inn:443 HTTP/1.1\r\nHost: inn:443\r\n\r\n", 501},
      {"a method in lower case", head("", "get /echo HTTP/1.1"), 501},
      {"an expectation nobody knows", head("Expect: tea\r\n"), 417},
      {"a path that climbs", head("", "GET /a/../echo HTTP/1.1"), 400},
      {"a path that climbs, encoded", head("", "GET /a/%2e%2E/echo HTTP/1.1"), 400},
      {"a NUL in the path", head("", "GET /echo%00 HTTP/1.1"), 400},
      {"a broken encoding", head("", "GET /echo%2 HTTP/1.1"), 400},
      {"an encoded slash", head("", "GET /a%2Fecho HTTP/1.1"), 400},
      {"a path that is not UTF-8", head("", "GET /%FF HTTP/1.1"), 400},
      {"a target with another scheme", head("", "GET ftp://x/echo HTTP/1.1"), 400},
      {"a target with another host's name and a user", head("", "GET http://u@y/ HTTP/1.1"), 400},
  };
}

}  // namespace

TEST_CASE("what could be read in two ways is refused, and nothing hides behind it") {
  Lane lane;
  for (const Case& hostile : refused()) {
    CAPTURE(hostile.name);
    Client client(lane.port());
    client.send(hostile.bytes);
    const Client::Answer answer = client.answer();
    CHECK(answer.status == hostile.status);
    CHECK(answer.header("connection") == "close");
    CHECK(answer.header("content-type") == "application/problem+json");
    CHECK(client.ended());
  }
  lane.run([&] { CHECK(lane.asked.empty()); });
  CHECK(lane.stats().refused == refused().size());
}

TEST_CASE("the same comes byte by byte") {
  Lane lane;
  for (const Case& hostile : refused()) {
    if (hostile.bytes.size() > 1000) continue;
    CAPTURE(hostile.name);
    Client client(lane.port());
    for (const char byte : hostile.bytes) client.send({&byte, 1});
    CHECK(client.answer().status == hostile.status);
  }
  lane.run([&] { CHECK(lane.asked.empty()); });
}

TEST_CASE("a client that only sends half gets the rest of the deadline and no more") {
  web::ServerSettings settings = Lane::quick();
  settings.header_timeout = settings.body_timeout = std::chrono::milliseconds(500);
  Lane lane(settings);
  const auto half = [&](const std::string& bytes) {
    Client client(lane.port());
    client.send(bytes);
    return client.answer().status;
  };
  CHECK(half("GET /echo HTTP/1.1\r\n") == 408);
  CHECK(half("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel") == 408);
  CHECK(half("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n") == 408);
  lane.run([&] { CHECK(lane.asked.empty()); });
}

TEST_CASE("a client that drips a head is cut off at the deadline of the head") {
  web::ServerSettings settings = Lane::quick();
  settings.header_timeout = std::chrono::milliseconds(500);  // with TLS the handshake's, too
  settings.max_header_bytes = 1u << 30;                      // so that only time can end it
  settings.max_headers = 1u << 30;
  Lane lane(settings);
  Client client(lane.port());
  client.send("GET /echo HTTP/1.1\r\n");
  std::atomic<bool> over{false};
  std::thread dripping([&] {
    while (!over) {
      client.send("A: b\r\n");
      std::this_thread::yield();
    }
  });
  CHECK(client.answer().status == 408);
  over = true;
  dripping.join();
}

TEST_CASE("a client that drips a body is cut off at the deadline of the body") {
  web::ServerSettings settings = Lane::quick();
  settings.body_timeout = std::chrono::milliseconds(200);
  Lane lane(settings);
  Client client(lane.port());
  client.send("POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n");
  std::atomic<bool> over{false};
  std::thread dripping([&] {
    while (!over) {
      client.send("x");
      std::this_thread::yield();
    }
  });
  CHECK(client.answer().status == 408);
  over = true;
  dripping.join();
}

TEST_CASE("a client that says nothing is closed without a word") {
  web::ServerSettings settings = Lane::quick();
  settings.header_timeout = std::chrono::milliseconds(500);
  settings.idle_timeout = std::chrono::milliseconds(50);
  Lane lane(settings);
  Client silent(lane.port());
  CHECK(silent.ended());
  Client noise(lane.port());
  noise.send("\r\n\r\n\r");
  CHECK(noise.ended());
  Client served(lane.port());
  served.send(head("", "GET /echo HTTP/1.1"));
  CHECK(served.answer().status == 200);
  CHECK(served.ended());
}

TEST_CASE("a client that reads nothing is dropped") {
  web::ServerSettings settings = Lane::quick();
  settings.write_timeout = std::chrono::milliseconds(100);
  settings.slowest_client = 1u << 30;
  Lane lane(settings);
  Client client(lane.port());
  client.send(head("", "GET /big/60000000 HTTP/1.1"));
  lane.wait_until([&] { return !lane.asked.empty() && lane.server->stats().connections == 0; });
  CHECK(lane.asked.size() == 1);
}

TEST_CASE("connections above the cap are told so and closed") {
  web::ServerSettings settings = Lane::quick();
  settings.max_connections = 2;
  Lane lane(settings);
  Client one(lane.port());
  Client two(lane.port());
  lane.wait_until([&] { return lane.server->stats().connections == 2; });
  Client three(lane.port());
  if (!webtest::Wire::tls()) {  // a handshake would cost what is to be spared
    const Client::Answer answer = three.answer();
    CHECK(answer.status == 503);
    CHECK(answer.header("connection") == "close");
  }
  CHECK(three.ended());
  three.close();
  one.close();
  lane.wait_until([&] { return lane.server->stats().connections == 1; });
  Client four(lane.port());
  four.send(head("", "GET /echo HTTP/1.1"));
  CHECK(four.answer().status == 200);
}

TEST_CASE("a header that would split the answer becomes a 500") {
  Lane lane;
  Client client(lane.port());
  client.send(head("", "GET /split HTTP/1.1"));
  const Client::Answer answer = client.answer();
  CHECK(answer.status == 500);
  CHECK(answer.head.find("c: d") == std::string::npos);
}

TEST_CASE("random bytes never bring the server down") {
  Lane lane;
  std::uint64_t state = 88172645463325252ull;  // seeded xorshift
  const auto next = [&] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  };
  const std::string good = head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n";
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good + good;
    for (std::uint64_t changes = next() % 6 + 1; changes > 0; --changes) {
      bytes[next() % bytes.size()] = static_cast<char>(next());
    }
    Client client(lane.port());
    client.send(bytes);
    client.close_sending();
    CHECK_NOTHROW(client.rest());
  }
  Client client(lane.port());
  client.send(good);
  CHECK(client.answer().status == 200);
}
