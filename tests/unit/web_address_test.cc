#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "host/adapters/web/address.h"

using namespace host;
using web::Address;

TEST_CASE("port 0 gives a free port that the address keeps") {
  const auto address = Address::reserve("localhost:0");
  REQUIRE(address);
  CHECK((*address)->port() != 0);
  CHECK((*address)->to_string() == "localhost:" + std::to_string((*address)->port()));
}

TEST_CASE("what is no address is refused") {
  const char* text =
      GENERATE("", ":80", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000",
               "127.0.0.1:-1", "name.example:80", "::1:80", "[::1:80", "300.0.0.1:80");
  CAPTURE(text);
  const auto address = Address::reserve(text);
  REQUIRE_FALSE(address);
  CHECK(address.error().code == Error::Code::invalid);
}

TEST_CASE("an address that this machine does not have is refused") {
  const auto address = Address::reserve("192.0.2.1:8080");
  REQUIRE_FALSE(address);
  CHECK(address.error().code == Error::Code::unavailable);
}

TEST_CASE("a port that somebody listens on is taken, even by one who would share it") {
  std::string text;
  web::Socket other;
  {
    const auto free = Address::reserve("127.0.0.1:0");
    REQUIRE(free);
    text = (*free)->to_string();
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons((*free)->port());
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    web::Endpoint endpoint;
    std::memcpy(&endpoint.storage, &v4, sizeof v4);
    endpoint.length = sizeof v4;
    auto bound = web::bind_socket(endpoint, true, text);
    REQUIRE(bound);
    other = std::move(*bound);
  }
  REQUIRE(::listen(other.get(), 1) == 0);
  const auto address = Address::reserve(text);
  REQUIRE_FALSE(address);
  CHECK(address.error().code == Error::Code::conflict);
  CHECK(address.error().message.find(text) != std::string::npos);
}
