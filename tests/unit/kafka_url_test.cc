#include <catch2/catch.hpp>

#include "host/adapters/kafka/url.h"

namespace host::kafka {
namespace {

using Catch::Contains;

using Settings = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("a URL of the log names brokers, with Kafka's port where none is named") {
  CHECK(parse_url("kafka://b")->brokers == "b:9092");
  CHECK(parse_url("kafka://b1,b2:9093/")->brokers == "b1:9092,b2:9093");
  CHECK(parse_url("kafka://[::1],[fe80::2]:9094")->brokers == "[::1]:9092,[fe80::2]:9094");
  CHECK(parse_url("kafka://b")->settings.empty());
}

TEST_CASE("a URL of the log has settings of its client, percent-encoded") {
  const auto options =
      parse_url("kafka://b?security.protocol=SASL_SSL&sasl.password=a%26b%3D%25&linger.ms=5");
  REQUIRE(options);
  CHECK(options->settings == Settings{{"security.protocol", "SASL_SSL"},
                                      {"sasl.password", "a&b=%"},
                                      {"linger.ms", "5"}});
}

TEST_CASE("what no URL of a log is gets a hint") {
  for (const char* url :
       {"kafka://", "kafka://b,", "kafka://:9092", "kafka://b:port", "kafka://b:0",
        "kafka://b:70000", "kafka://u@b", "kafka://a b", "http://b", "kafka://b?ssl.ca.location",
        "kafka://b?ssl.ca.location=%4", "kafka://b?ssl.ca.location=%zz"}) {
    INFO(url);
    const auto options = parse_url(url);
    REQUIRE_FALSE(options);
    CHECK(options.error().code == Error::Code::invalid);
    CHECK_THAT(options.error().hint, Contains("kafka://broker1:9092"));
  }
}

TEST_CASE("what the promise of the host rests on cannot be chosen, and no value is repeated") {
  for (const char* setting : {"acks", "enable.idempotence", "group.id", "auto.offset.reset",
                              "bootstrap.servers", "message.timeout.ms", "transactional.id"}) {
    const auto options = parse_url(std::string("kafka://b?") + setting + "=hidden");
    REQUIRE_FALSE(options);
    CHECK_THAT(options.error().message, Contains(setting) && Contains("cannot be chosen"));
    CHECK_THAT(options.error().to_string(), !Contains("hidden"));
  }
}

TEST_CASE("secrets among the client's settings are known") {
  for (const char* name : {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                           "ssl.key.pem", "sasl.oauthbearer.client.secret"}) {
    CHECK(is_secret(name));
  }
  for (const char* name : {"sasl.username", "ssl.ca.location", "ssl.key.location"}) {
    CHECK_FALSE(is_secret(name));
  }
}

}  // namespace
}  // namespace host::kafka
