#include "host/runtime/access.h"

#include "tests/runtime/http_fixture.h"

namespace host {
namespace {

using runtime::Access;

/// Knows users by the text of the header.
struct Badge final : ports::Authenticator {
  Result<User> user_of(const HttpRequest& request, Time) const override {
    const std::string* badge = find_header(request.headers, "authorization");
    if (badge == nullptr) return User{};
    if (*badge == "forged") return make_error(Error::Code::invalid, "the \"badge\" is forged");
    const std::size_t slash = badge->find('/');
    return User{.subject = badge->substr(0, slash), .roles = {badge->substr(slash + 1)}};
  }
};

struct Gate : HttpWorld {
  Gate() {
    env_route.method = "GET";
    env_route.pattern = "/walls/:id";
  }
  std::variant<Access::Admitted, HttpResponse> admit(const std::string& badge,
                                                     const std::string& address = "10.0.0.1") {
    HttpRequest request;
    request.method = "GET";
    request.address = address;
    if (!badge.empty()) request.headers = {{"authorization", badge}};
    return access.admit("p", env_route, {{"id", "ada"}}, request);
  }
  int status(const std::string& badge, const std::string& address = "10.0.0.1") {
    const auto result = admit(badge, address);
    const auto* refused = std::get_if<HttpResponse>(&result);
    return refused != nullptr ? refused->status : 200;
  }
  std::string header(const std::string& badge, const char* name) {
    const auto result = admit(badge);
    const auto* refused = std::get_if<HttpResponse>(&result);
    const std::string* found = find_header(
        refused != nullptr ? refused->headers : std::get<Access::Admitted>(result).headers, name);
    return found != nullptr ? *found : "";
  }

  Badge badges;
  Manifest::Route env_route;
  Access access{env, &badges, std::make_shared<runtime::RateLimiter>(chance)};
};

}  // namespace

TEST_CASE("a route lets in who has one of its roles", "[access]") {
  Gate gate;
  gate.env_route.roles = {"player", "editor"};
  CHECK(gate.status("ada/player") == 200);
  CHECK(gate.status("bob/editor") == 200);
  CHECK(gate.status("ada/admin") == 403);
  CHECK(gate.status("") == 401);
  CHECK(gate.status("forged") == 401);
  CHECK(gate.metrics.value("host_http_requests_total",
                           {{"plugin", "p"}, {"route", "GET /walls/:id"}, {"status", "401"}}) == 2);
}

TEST_CASE("a refusal says what would help, as RFC 6750 has it", "[access]") {
  Gate gate;
  gate.env_route.roles = {"player"};
  CHECK(gate.header("", "www-authenticate") == "Bearer realm=\"host\"");
  CHECK(gate.header("forged", "www-authenticate") ==
        "Bearer realm=\"host\", error=\"invalid_token\", error_description=\"the badge is "
        "forged\"");
  CHECK_THAT(gate.header("ada/guest", "www-authenticate"),
             Catch::Contains("insufficient_scope") && Catch::Contains("player"));
}

TEST_CASE("what is somebody's own is for him, and for the admins that the route names",
          "[access]") {
  Gate gate;
  gate.env_route.roles = {"player", "admin"};
  gate.env_route.own_param = "id";
  CHECK(gate.status("ada/player") == 200);
  CHECK(gate.status("bob/player") == 403);
  CHECK(gate.status("Ada/player") == 403);
  CHECK(gate.status("bob/admin") == 200);
  CHECK(gate.status("ada/guest") == 403);
  gate.env_route.roles = {"player"};
  CHECK(gate.status("bob/admin") == 403);
}

TEST_CASE("a route for everybody knows who comes with a token, and minds no bad one", "[access]") {
  Gate gate;
  gate.env_route.auth_none = true;
  CHECK(std::get<Access::Admitted>(gate.admit("ada/player")).user.subject == "ada");
  CHECK(std::get<Access::Admitted>(gate.admit("forged")).user.subject.empty());
  CHECK(gate.status("") == 200);
}

TEST_CASE("without an authenticator everybody has every role", "[access]") {
  Gate gate;
  Access open(gate.env, nullptr, std::make_shared<runtime::RateLimiter>(gate.chance));
  gate.env_route.roles = {"player"};
  gate.env_route.own_param = "id";
  CHECK(std::get<Access::Admitted>(open.admit("p", gate.env_route, {{"id", "ada"}}, {}))
            .user.every_role);
}

TEST_CASE("without an authenticator no page of another site is granted a role", "[access]") {
  Gate gate;
  Access open(gate.env, nullptr, std::make_shared<runtime::RateLimiter>(gate.chance));
  const auto status = [&](Headers headers) {
    HttpRequest request;
    request.headers = std::move(headers);
    const auto result = open.admit("p", gate.env_route, {}, request);
    const auto* refused = std::get_if<HttpResponse>(&result);
    return refused != nullptr ? refused->status : 200;
  };
  const Headers evil{{"origin", "https://evil.example"}}, opaque{{"origin", "null"}},
      image{{"sec-fetch-site", "cross-site"}};
  gate.env_route.roles = {"player"};
  for (const Headers& foreign : {evil, opaque, image}) CHECK(status(foreign) == 403);
  CHECK(status({{"origin", "http://localhost:5173"}, {"sec-fetch-site", "same-site"}}) == 200);
  CHECK(status({{"origin", "http://[::1]:80"}}) == 200);
  CHECK(status({{"sec-fetch-site", "none"}}) == 200);
  CHECK(status({}) == 200);
  gate.env_route.roles = {};
  gate.env_route.auth_none = true;
  CHECK(status(evil) == 200);
}

TEST_CASE("a loopback name is one by its host alone", "[access]") {
  using runtime::names_loopback;
  for (const char* yes : {"127.0.0.1", "127.9.9.9:80", "localhost", "http://localhost:3000",
                          "[::1]", "https://[::1]:8443"}) {
    INFO(yes);
    CHECK(names_loopback(yes));
  }
  for (const char* no : {"", "null", "0.0.0.0", "127.evil.org", "localhost.evil.org",
                         "http://evil.org:127", "[::2]:80", "ftp://localhost"}) {
    INFO(no);
    CHECK_FALSE(names_loopback(no));
  }
}

TEST_CASE("a limit counts by user, and by address where nobody is named", "[access]") {
  Gate gate;
  gate.env_route.auth_none = true;
  gate.env_route.limit = Manifest::Limit{.rate = 1, .per = seconds(10), .burst = 2};
  CHECK(gate.header("ada/player", "ratelimit-policy") == "\"user\";q=2;w=20");
  CHECK(gate.header("ada/player", "ratelimit") == "\"user\";r=0;t=20");
  CHECK(gate.status("ada/player", "10.9.9.9") == 429);
  CHECK(gate.header("ada/player", "retry-after") == "10");
  CHECK(gate.status("bob/player") == 200);
  CHECK(gate.header("", "ratelimit") == "\"address\";r=1;t=10");
  CHECK(gate.status("") == 200);
  CHECK(gate.status("") == 429);
  CHECK(gate.status("", "10.0.0.2") == 200);
  gate.pass(seconds(10));
  CHECK(gate.status("ada/player") == 200);
}

TEST_CASE("a limit by address counts all users of it together", "[access]") {
  Gate gate;
  gate.env_route.auth_none = true;
  gate.env_route.limit =
      Manifest::Limit{.rate = 1, .per = seconds(10), .burst = 2, .by_user = false};
  CHECK(gate.status("ada/player") == 200);
  CHECK(gate.status("bob/player") == 200);
  CHECK(gate.status("eve/player") == 429);
  CHECK(gate.status("eve/player", "10.0.0.2") == 200);
}

TEST_CASE("who may not come in spends nothing of a limit", "[access]") {
  Gate gate;
  gate.env_route.roles = {"player"};
  gate.env_route.limit =
      Manifest::Limit{.rate = 1, .per = seconds(10), .burst = 1, .by_user = false};
  CHECK(gate.status("") == 401);
  CHECK(gate.status("ada/guest") == 403);
  CHECK(gate.status("ada/player") == 200);
}

TEST_CASE("an IPv6 customer is one, whatever address of its network it uses", "[access]") {
  using runtime::network_of;
  CHECK(network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9"));
  CHECK(network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1"));
  CHECK(network_of("10.0.0.1") == "10.0.0.1");
  CHECK(network_of("::ffff:10.0.0.1") == "10.0.0.1");
}

TEST_CASE("the gateway tells handlers the user, and answers what is left", "[gateway]") {
  HttpWorld w;
  const Badge badge;
  Manifest::Route& route = w.route("GET", "/a", [](const ports::Call& call, const Answers&) {
    return answer(200, call.user + ":" + (call.roles.empty() ? "" : call.roles.front()));
  });
  route.roles = {"player"};
  route.limit = Manifest::Limit{.rate = 1, .per = seconds(10), .burst = 1};
  w.start();
  runtime::Gateway gateway(w.env, w.lane, {.ready = {}, .authenticator = &badge, .limiter = {}});
  gateway.add("p", w.code.get(), &w.door);
  gateway.publish(*runtime::Routes::make({&w.code->manifest()}));
  const auto ask = [&](const std::string& who) {
    auto exchange = std::make_shared<fakes::Exchange>();
    HttpRequest request;
    request.method = "GET";
    request.path = "/a";
    request.headers = {{"authorization", who}};
    gateway.handle(std::move(request), std::make_unique<fakes::FakeResponder>(exchange, w.lane));
    return *exchange->answer;
  };
  const HttpResponse good = ask("ada/player");
  CHECK(good.body == "ada:player");
  CHECK(*find_header(good.headers, "ratelimit") == "\"user\";r=0;t=10");
  CHECK(ask("ada/player").status == 429);
  CHECK(ask("ada/guest").status == 403);
}

}  // namespace host
