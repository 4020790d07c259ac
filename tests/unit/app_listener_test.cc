#include <catch2/catch.hpp>

#include "host/app/deployment.h"
#include "host/script/watchdog.h"
#include "tests/fakes/recorders.h"

namespace host::app {
namespace {

struct Fixture {
  DeploymentResult read(const std::string& fields) {
    return read_deployment("d.lua", "return {\n" + fields + ",\nplugins = { [\"a.lua\"] = {} } }",
                           ".");
  }
  ListenerSettings good(const std::string& fields) {
    const DeploymentResult result = read(fields);
    for (const Problem& problem : result.problems) FAIL(problem.to_string());
    return result.deployment.listeners;
  }
  std::string problems(const std::string& fields) {
    std::string all;
    for (const Problem& problem : read(fields).problems) all += problem.to_string() + "\n";
    return all;
  }

  fakes::RecordingLogger logger;
  script::Watchdog watchdog{{}, logger};
};

using Catch::Contains;

TEST_CASE_METHOD(Fixture, "a deployment names its proxies") {
  const auto proxies = good(R"(trusted_proxies = { "10.0.0.0/8", "::1" })").proxies;
  REQUIRE(proxies);
  CHECK(proxies->trusts("10.1.1.1"));
  CHECK(proxies->trusts("::1"));
  CHECK_FALSE(good("partitions = 1").proxies);
  CHECK_THAT(problems(R"(trusted_proxies = { "10.0.0.0/99" })"),
             Contains("d.lua:2") && Contains("\"10.0.0.0/99\" is no network"));
  CHECK_THAT(problems(R"(trusted_proxies = { "0.0.0.0/0" })"), Contains("everybody"));
  CHECK_THAT(problems(R"(trusted_proxies = "10.0.0.0/8")"), Contains("must be a list of texts"));
}

TEST_CASE_METHOD(Fixture, "a deployment names the sites whose pages may ask") {
  const web::CorsSettings cors = *good(R"(cors = { origins = { "https://app.example" },
    credentials = true, expose = { "X-Count" }, max_age = "1h" })")
                                      .cors;
  CHECK(cors.origins == std::vector<std::string>{"https://app.example"});
  CHECK(cors.credentials);
  CHECK(cors.expose == std::vector<std::string>{"X-Count"});
  CHECK(cors.max_age == std::chrono::hours(1));
  CHECK(good(R"(cors = { origins = "*" })").cors->any_origin);
  CHECK_FALSE(good("partitions = 1").cors);
  CHECK_THAT(problems(R"(cors = { origins = "*", credentials = true })"),
             Contains("every site ask with its visitors' credentials"));
  CHECK_THAT(problems(R"(cors = { origins = { "https://app.example/" } })"),
             Contains("\"https://app.example/\" is no origin"));
  CHECK_THAT(problems(R"(cors = { origins = { "*" } })"), Contains("is no origin"));
  CHECK_THAT(problems("cors = {}"), Contains("names no origins"));
  CHECK_THAT(problems(R"(cors = { orgins = "*" })"), Contains("did you mean \"origins\"?"));
  CHECK_THAT(problems(R"(cors = { origins = "*", expose = { "a b" } })"),
             Contains("expose must be names of headers"));
}

TEST_CASE_METHOD(Fixture, "a deployment names the files of its certificates") {
  const ListenerSettings both = good(R"(tls = { cert = "a.pem", key = "a.key" },
    admin_tls = { cert = "b.pem", key = "b.key" })");
  CHECK(both.tls->certificate == "a.pem");
  CHECK(both.tls->key == "a.key");
  CHECK(both.admin_tls->certificate == "b.pem");
  CHECK_THAT(problems(R"(tls = { cert = "a.pem" })"), Contains("tls says no key"));
  CHECK_THAT(problems(R"(admin_tls = { key = "a.pem" })"), Contains("admin_tls says no cert"));
  CHECK_THAT(problems(R"(tls = { cert = "a", key = "b", ca = "c" })"),
             Contains("unknown field \"ca\" of tls"));
}

}  // namespace
}  // namespace host::app
