#include <catch2/catch.hpp>

#include "host/adapters/web/trusted_proxies.h"

namespace host::web {
namespace {

TrustedProxies proxies(const std::vector<std::string>& networks) {
  Result<TrustedProxies> read = TrustedProxies::parse(networks);
  if (!read) FAIL(read.error().to_string());
  return *read;
}

std::string client(const std::string& peer, const std::vector<std::string>& forwarded) {
  Headers headers{{"host", "x"}};
  for (const std::string& value : forwarded) headers.emplace_back("x-forwarded-for", value);
  return proxies({"10.0.0.0/8", "2001:db8::/32", "192.0.2.7"}).client_of(peer, headers);
}

}  // namespace

TEST_CASE("only a trusted peer is believed") {
  CHECK(client("203.0.113.1", {"198.51.100.9"}) == "203.0.113.1");
  CHECK(client("10.1.2.3", {"198.51.100.9"}) == "198.51.100.9");
  CHECK(client("192.0.2.7", {"198.51.100.9"}) == "198.51.100.9");
  CHECK(client("192.0.2.8", {"198.51.100.9"}) == "192.0.2.8");
  CHECK(client("2001:db8:9::1", {"2a00::5"}) == "2a00::5");
  CHECK(client("10.1.2.3", {}) == "10.1.2.3");
}

TEST_CASE("the client is the first from the right that is no trusted proxy") {
  CHECK(client("10.1.2.3", {"127.0.0.1, 198.51.100.9, 10.9.9.9"}) == "198.51.100.9");
  CHECK(client("10.1.2.3", {"6.6.6.6", "198.51.100.9", "10.9.9.9,10.8.8.8"}) == "198.51.100.9");
  CHECK(client("10.1.2.3", {"10.9.9.9, 10.8.8.8"}) == "10.9.9.9");
  CHECK(client("10.1.2.3", {" 198.51.100.9:4711\t"}) == "198.51.100.9");
  CHECK(client("10.1.2.3", {"[2a00::5]:80"}) == "2a00::5");
}

TEST_CASE("an entry that is no address ends the search at who passed it on") {
  for (const char* entry : {"unknown", "", ",", "198.51.100", "1.2.3.4.5", "<script>", "[::1"}) {
    INFO(entry);
    CHECK(client("10.1.2.3", {entry}) == "10.1.2.3");
    CHECK(client("10.1.2.3", {std::string("198.51.100.9,") + entry + ",10.5.5.5"}) == "10.5.5.5");
  }
}

TEST_CASE("a network is matched to the bit") {
  const TrustedProxies some = proxies({"10.64.0.0/10", "2001:db8:8000::/33", "::1"});
  CHECK(some.trusts("10.64.0.1"));
  CHECK(some.trusts("10.127.255.255"));
  CHECK_FALSE(some.trusts("10.128.0.0"));
  CHECK_FALSE(some.trusts("10.63.255.255"));
  CHECK(some.trusts("2001:db8:8000::1"));
  CHECK_FALSE(some.trusts("2001:db8:7fff::1"));
  CHECK(some.trusts("::1"));
  CHECK_FALSE(some.trusts("::2"));
  CHECK(some.trusts("::ffff:10.64.0.1"));  // an IPv4 address as IPv6 sees it
  CHECK_FALSE(some.trusts("nonsense"));
  CHECK_FALSE(TrustedProxies().trusts("127.0.0.1"));
}

TEST_CASE("what is no network, or everybody, is refused") {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8/8", "name",
                           "10.0.0.1/8", "::/0", "0.0.0.0/0", "2001:db8::/129", "10.0.0.0/-1"}) {
    INFO(text);
    const Result<TrustedProxies> read = TrustedProxies::parse({"127.0.0.1", text});
    REQUIRE_FALSE(read.ok());
    CHECK_THAT(read.error().message, Catch::StartsWith("\"" + std::string(text) + "\""));
  }
}

}  // namespace host::web
