#include <catch2/catch.hpp>

#include "host/adapters/tokens/bearer_tokens.h"
#include "tests/unit/tokens_support.h"

namespace host::tokens {
namespace {

const Time kNow = from_micros(1'800'000'000'000'000);
const std::string kOps = "0123456789abcdef", kDashboard = "fedcba9876543210==";
const std::string kSecret(32, 's');

Settings settings() {
  Settings out;
  out.tokens = {{.token = kOps, .subject = "ops", .roles = {"admin"}},
                {.token = kDashboard, .subject = "grafana", .roles = {"metrics"}}};
  out.jwt = JwtSettings{.secrets = {kSecret}, .issuer = {}, .audience = {}};
  return out;
}

HttpRequest with(std::vector<std::string> authorizations) {
  HttpRequest request;
  for (std::string& value : authorizations) {
    request.headers.emplace_back("authorization", std::move(value));
  }
  return request;
}

}  // namespace

TEST_CASE("a static token names whom the deployment says") {
  const BearerTokens tokens(settings());
  const Result<User> ops = tokens.user_of(with({"Bearer " + kOps}), kNow);
  REQUIRE(ops.ok());
  CHECK(ops->subject == "ops");
  CHECK(ops->roles == std::vector<std::string>{"admin"});
  CHECK(tokens.user_of(with({"bEARER   " + kDashboard}), kNow)->subject == "grafana");
}

TEST_CASE("a JSON web token is tried where no static one fits") {
  const BearerTokens tokens(settings());
  const std::string jwt = sign(kSecret, R"({"sub":"ada","exp":1900000000})");
  CHECK(tokens.user_of(with({"Bearer " + jwt}), kNow)->subject == "ada");
  Settings without = settings();
  without.jwt.reset();
  CHECK(BearerTokens(without).verify(jwt, kNow).error().message == "the token is not known");
}

TEST_CASE("a request without a bearer token is from nobody") {
  const BearerTokens tokens(settings());
  for (const auto& request : {with({}), with({"Basic b3BzOm9wcw=="}), with({"Bearer"})}) {
    const Result<User> user = tokens.user_of(request, kNow);
    REQUIRE(user.ok());
    CHECK_FALSE(user->named());
    CHECK(user->roles.empty());
  }
}

TEST_CASE("what is not exactly a known token is refused") {
  Settings only_static = settings();
  only_static.jwt.reset();
  const BearerTokens tokens(only_static);
  for (const std::string& token :
       {kOps + "0", kOps.substr(1), std::string("0123456789abcdeF"), kOps + " " + kOps, kOps + "=",
        std::string("="), std::string("a\"b")}) {
    INFO(token);
    CHECK_FALSE(tokens.user_of(with({"Bearer " + token}), kNow).ok());
  }
  CHECK_FALSE(tokens.user_of(with({"Bearer " + kOps, "Bearer " + kOps}), kNow).ok());
}

TEST_CASE("tokens that could be guessed or not be sent are told") {
  CHECK(token_problem(kOps).empty());
  CHECK(token_problem(kDashboard).empty());
  CHECK_FALSE(token_problem(kOps.substr(1)).empty());
  CHECK_FALSE(token_problem("0123456789 abcdef").empty());
  CHECK_FALSE(token_problem("0123456789=abcdef").empty());
  CHECK_FALSE(token_problem("0123456789abcd\xC3\xA9").empty());
}

}  // namespace host::tokens
