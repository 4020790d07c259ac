#include <catch2/catch.hpp>
#include <cstdlib>

#include "host/app/auth_settings.h"
#include "host/app/deployment.h"
#include "host/script/watchdog.h"
#include "tests/fakes/recorders.h"

namespace host::app {
namespace {

struct Fixture {
  Fixture() {
    setenv("APP_AUTH_TOKEN", "0123456789abcdef", 1);
    setenv("APP_AUTH_SECRET", "0123456789abcdef0123456789abcdef", 1);
    setenv("APP_AUTH_SHORT", "0123", 1);
  }
  std::string problems(const std::string& auth) {
    std::string all;
    for (const Problem& problem :
         read_auth_file("a.lua", "return {\n" + auth + "\n}", ".").problems) {
      all += problem.to_string() + "\n";
    }
    return all;
  }

  fakes::RecordingLogger logger;
  script::Watchdog watchdog{{}, logger};
};

using Catch::Contains;

TEST_CASE_METHOD(Fixture, "a deployment says whose tokens are good") {
  const DeploymentResult result = read_deployment("d.lua", R"(return {
    auth = {
      tokens = { { token = "env:APP_AUTH_TOKEN", subject = "ops", roles = { "admin" } } },
      jwt = { secret = "env:APP_AUTH_SECRET", issuer = "us", audience = "bets", leeway = "5s" },
    },
    plugins = { ["a.lua"] = {} } })",
                                                  ".");
  for (const Problem& problem : result.problems) FAIL(problem.to_string());
  const tokens::Settings& auth = result.deployment.auth.value();
  REQUIRE(auth.tokens.size() == 1);
  CHECK(auth.tokens.at(0).token == "0123456789abcdef");
  CHECK(auth.tokens.at(0).subject == "ops");
  CHECK(auth.tokens.at(0).roles == std::vector<std::string>{"admin"});
  REQUIRE(auth.jwt);
  CHECK(auth.jwt->secrets == std::vector<std::string>{"0123456789abcdef0123456789abcdef"});
  CHECK(auth.jwt->issuer == "us");
  CHECK(auth.jwt->audience == "bets");
  CHECK(auth.jwt->leeway == std::chrono::seconds(5));
}

TEST_CASE_METHOD(Fixture, "the file of --auth returns the same table") {
  const AuthResult read = read_auth_file(
      "a.lua", "return { jwt = { secret = { \"env:APP_AUTH_SECRET\", \"env:APP_AUTH_SECRET\" } } }",
      ".");
  CHECK(read.problems.empty());
  CHECK(read.auth.jwt->secrets.size() == 2);
  CHECK_FALSE(read.auth.jwt->issuer);
}

TEST_CASE_METHOD(Fixture, "a secret does not stand in the file") {
  CHECK_THAT(problems("tokens = { { token = \"0123456789abcdef\", subject = \"ops\" } }"),
             Contains("a.lua:2: token is a secret") && Contains("env:NAME"));
  CHECK_THAT(problems("jwt = { secret = \"0123456789abcdef0123456789abcdef\" }"),
             Contains("secret is a secret") && !Contains("0123456789"));
  CHECK_THAT(problems("jwt = { secret = \"env:APP_AUTH_NOT_SET\" }"),
             Contains("APP_AUTH_NOT_SET, which is not set"));
  CHECK_THAT(problems("jwt = { secret = \"file:not/there\" }"), Contains("not/there"));
}

TEST_CASE_METHOD(Fixture, "a secret that could be guessed is refused") {
  CHECK_THAT(problems("tokens = { { token = \"env:APP_AUTH_SHORT\", subject = \"ops\" } }"),
             Contains("shorter than 16") && Contains("openssl rand"));
  CHECK_THAT(problems("jwt = { secret = \"env:APP_AUTH_TOKEN\" }"),
             Contains("shorter than 32") && Contains("openssl rand"));
}

TEST_CASE_METHOD(Fixture, "what auth does not say, or says wrongly, is told with its line") {
  CHECK_THAT(problems(""), Contains("neither tokens nor jwt"));
  CHECK_THAT(problems("tokns = {}"), Contains("a.lua:2") && Contains("did you mean \"tokens\"?"));
  CHECK_THAT(problems("tokens = {}"), Contains("tokens must be a list"));
  CHECK_THAT(problems("tokens = { {} }"), Contains("says no token") && Contains("says no subject"));
  CHECK_THAT(problems("tokens = { { token = \"env:APP_AUTH_TOKEN\", subject = \"a\",\n"
                      "roles = { \"the boss\" } } }"),
             Contains("\"the boss\" is no role"));
  CHECK_THAT(problems("tokens = { { token = \"env:APP_AUTH_TOKEN\", subject = \"a\",\n"
                      "roles = \"admin\" } }"),
             Contains("roles must be a list of texts"));
  CHECK_THAT(problems("jwt = { issuer = 5 }"),
             Contains("jwt says no secret") && Contains("issuer must be a text"));
  CHECK_THAT(problems("jwt = { secret = \"env:APP_AUTH_SECRET\", leeway = \"1h\" }"),
             Contains("more than 10 minutes"));
  CHECK_THAT(problems("jwt = { secret = \"env:APP_AUTH_SECRET\", algorithm = \"RS256\" }"),
             Contains("unknown field \"algorithm\" of jwt"));
}

}  // namespace
}  // namespace host::app
