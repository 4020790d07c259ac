// What is TLS's own; the rest of this binary is the suite of the server, through TLS.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "host/adapters/web/tls.h"
#include "tests/fakes/tls_pair.h"
#include "tests/integration/web_fixture.h"

using namespace host;
using webtest::Lane;
using webtest::Wire;

namespace {

/// A connection without TLS; what it reads has a deadline of 10 s.
class Raw {
 public:
  explicit Raw(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const timeval deadline{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  }
  ~Raw() { ::close(fd_); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  void send(std::string_view bytes) { ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  /// All bytes to the end of the connection, which must come.
  std::string rest() {
    std::string all;
    char bytes[4096];
    for (;;) {
      const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
      if (n < 0 && errno == EAGAIN) FAIL("the connection does not end");
      if (n <= 0) return all;
      all.append(bytes, static_cast<std::size_t>(n));
    }
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

const std::string kGet = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";

std::string ask(Wire& wire) {
  wire.send(kGet.data(), kGet.size(), 0);
  char bytes[4096];
  const ssize_t n = wire.receive(bytes, sizeof bytes);
  return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : "";
}

std::shared_ptr<const web::TlsCredentials> credentials(const std::string& name) {
  const fakes::TlsPair pair = fakes::make_tls_pair(name);
  return *web::TlsCredentials::make(pair.certificate, pair.key);
}

}  // namespace

TEST_CASE("who speaks HTTP without TLS is told so", "[tls]") {
  Lane lane;
  Raw client(lane.port());
  client.send(kGet);
  const std::string answer = client.rest();
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 400 ") && Catch::Contains("https://"));
  lane.run([&] { CHECK(lane.asked.empty()); });
}

TEST_CASE("noise in place of a handshake ends its connection alone", "[tls]") {
  Lane lane;
  for (const std::string& noise : {std::string("\x16\x03\x01\x00\x05hello", 10),
                                   "\x16" + std::string(40'000, '\xff'), std::string("\x16")}) {
    Raw client(lane.port());
    client.send(noise);
    ::shutdown(client.fd(), SHUT_WR);
    CHECK_THAT(client.rest(), !Catch::Contains("HTTP/1.1"));
  }
  Raw good(lane.port());
  Wire wire(good.fd());
  CHECK_THAT(ask(wire), Catch::StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("a handshake has the time of a head", "[tls]") {
  web::ServerSettings settings = Lane::quick();
  settings.header_timeout = std::chrono::milliseconds(50);
  Lane lane(settings);
  Raw silent(lane.port());
  CHECK(silent.rest().empty());
  Raw half(lane.port());
  half.send("\x16\x03\x01\x02");
  CHECK(half.rest().empty());
}

TEST_CASE("a new certificate is for new connections, open ones go on", "[tls]") {
  web::ServerSettings settings = Lane::quick();
  settings.tls = std::make_shared<web::TlsIdentity>(credentials("old.example"));
  Lane lane(settings);
  Raw first(lane.port());
  Wire old(first.fd());
  CHECK(old.server_name() == "old.example");
  settings.tls->replace(credentials("new.example"));
  Raw second(lane.port());
  Wire next(second.fd());
  CHECK(next.server_name() == "new.example");
  CHECK_THAT(ask(old), Catch::StartsWith("HTTP/1.1 200 "));
  CHECK_THAT(ask(next), Catch::StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("a drain ends connections that are in their handshake", "[tls]") {
  Lane lane;
  Raw half(lane.port());
  half.send("\x16\x03\x01\x02");
  lane.wait_until([&] { return lane.server->stats().connections == 1; });
  auto drained = lane.drain();
  CHECK(half.rest().empty());
  CHECK(drained.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}
