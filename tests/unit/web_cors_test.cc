#include <catch2/catch.hpp>
#include <optional>

#include "host/adapters/web/cors.h"

namespace host::web {
namespace {

/// What stands behind: answers everything alike, and remembers that it was asked.
struct Inner final : ports::HttpHandler {
  std::size_t max_body(const HttpRequest&) override { return 7; }
  void handle(HttpRequest, std::unique_ptr<ports::HttpResponder> responder) override {
    ++asked;
    if (streams) {
      responder->stream(answer, ports::HttpResponder::Body::events);
    } else {
      responder->respond(answer);
    }
  }
  HttpResponse answer{.status = 200, .headers = {{"vary", "Accept"}}, .body = "x"};
  bool streams = false;
  int asked = 0;
};

struct Responder final : ports::HttpResponder {
  explicit Responder(std::optional<HttpResponse>& out) : out_(out) {}
  void respond(HttpResponse response) override { out_ = std::move(response); }
  std::shared_ptr<ports::HttpStream> stream(HttpResponse head, Body) override {
    out_ = std::move(head);
    return nullptr;
  }
  bool alive() const override { return true; }
  std::optional<HttpResponse>& out_;
};

struct Site {
  explicit Site(CorsSettings settings) : cors(inner, std::move(settings)) {}

  HttpResponse ask(const std::string& method, Headers headers) {
    std::optional<HttpResponse> answer;
    HttpRequest request;
    request.method = method;
    request.headers = std::move(headers);
    cors.handle(std::move(request), std::make_unique<Responder>(answer));
    return answer.value();
  }
  HttpResponse preflight(const std::string& origin) {
    return ask("OPTIONS", {{"origin", origin},
                           {"access-control-request-method", "PUT"},
                           {"access-control-request-headers", "authorization,x-a"}});
  }

  Inner inner;
  Cors cors;
};

std::string value(const HttpResponse& response, const char* name) {
  const std::string* found = find_header(response.headers, name);
  return found != nullptr ? *found : "";
}

CorsSettings one() {
  CorsSettings settings;
  settings.origins = {"https://app.example"};
  settings.expose = {"X-Count"};
  return settings;
}

const std::string kApp = "https://app.example", kEvil = "https://evil.example";

}  // namespace

TEST_CASE("a preflight of a named origin is answered by the host", "[cors]") {
  Site site(one());
  const HttpResponse answer = site.preflight(kApp);
  CHECK(answer.status == 204);
  CHECK(value(answer, "access-control-allow-origin") == kApp);
  CHECK_THAT(value(answer, "access-control-allow-methods"), Catch::Contains("PUT"));
  CHECK(value(answer, "access-control-allow-headers") == "authorization,x-a");
  CHECK(value(answer, "access-control-max-age") == "600");
  CHECK(value(answer, "vary") == "Origin, Access-Control-Request-Headers");
  CHECK(value(answer, "access-control-allow-credentials").empty());
  CHECK(site.inner.asked == 0);
}

TEST_CASE("a preflight of another origin is refused", "[cors]") {
  Site site(one());
  for (const char* origin : {"https://evil.example", "null", "http://app.example", "",
                             "https://app.example.evil.example", "https://app.example:8443"}) {
    INFO(origin);
    const HttpResponse answer = site.preflight(origin);
    CHECK(answer.status == 403);
    CHECK(value(answer, "access-control-allow-origin").empty());
    CHECK(value(answer, "access-control-allow-methods").empty());
  }
  CHECK(site.inner.asked == 0);
}

TEST_CASE("an answer to a page of a named origin may be read by it", "[cors]") {
  Site site(one());
  site.inner.streams = GENERATE(false, true);
  const HttpResponse answer = site.ask("GET", {{"origin", kApp}});
  CHECK(value(answer, "access-control-allow-origin") == kApp);
  CHECK_THAT(value(answer, "access-control-expose-headers"),
             Catch::Contains("RateLimit") && Catch::EndsWith(", X-Count"));
  CHECK(value(answer, "vary") == "Accept, Origin");
  CHECK(site.inner.asked == 1);
}

TEST_CASE("other answers say only that they depend on the origin", "[cors]") {
  Site site(one());
  for (const Headers& headers : {Headers{{"origin", kEvil}}, Headers{}}) {
    const HttpResponse answer = site.ask("GET", headers);
    CHECK(answer.status == 200);
    CHECK(answer.headers == Headers{{"vary", "Accept, Origin"}});
  }
}

TEST_CASE("for every origin one answer is good for all", "[cors]") {
  CorsSettings settings;
  settings.any_origin = true;
  Site site(settings);
  CHECK(value(site.ask("GET", {{"origin", kEvil}}), "access-control-allow-origin") == "*");
  CHECK(value(site.ask("GET", {{"origin", kEvil}}), "vary") == "Accept");
  CHECK(value(site.preflight("null"), "access-control-allow-origin") == "*");
}

TEST_CASE("credentials are let through where the deployment says so", "[cors]") {
  CorsSettings settings = one();
  settings.credentials = true;
  Site site(settings);
  CHECK(value(site.ask("GET", {{"origin", kApp}}), "access-control-allow-credentials") == "true");
  CHECK(value(site.ask("GET", {{"origin", kEvil}}), "access-control-allow-credentials").empty());
}

TEST_CASE("an OPTIONS that is no preflight, and a handler's own word, are left alone", "[cors]") {
  Site site(one());
  site.ask("OPTIONS", {{"origin", kApp}});
  CHECK(site.inner.asked == 1);
  const char* name = GENERATE("access-control-allow-origin", "Access-Control-Allow-Origin");
  site.inner.answer.headers = {{name, "https://mine.example"}};
  const HttpResponse answer = site.ask("GET", {{"origin", kApp}});
  CHECK(answer.headers == Headers{{name, "https://mine.example"}, {"vary", "Origin"}});
  CHECK(site.cors.max_body({}) == 7);
}

TEST_CASE("a list of headers that could split the answer is not sent back", "[cors]") {
  Site site(one());
  for (const std::string& list :
       {std::string("a\r\nb: c"), std::string(2000, 'a'), std::string()}) {
    const HttpResponse answer = site.ask("OPTIONS", {{"origin", kApp},
                                                     {"access-control-request-method", "PUT"},
                                                     {"access-control-request-headers", list}});
    CHECK(value(answer, "access-control-allow-headers").empty());
  }
}

TEST_CASE("an origin is written as browsers send it", "[cors]") {
  for (const char* good :
       {"https://app.example", "http://localhost:3000", "https://[::1]:8443", "app://mobile"}) {
    CHECK(origin_problem(good).empty());
  }
  for (const char* bad :
       {"", "*", "null", "app.example", "https://app.example/", "https://", "https://*.example",
        "https://App.example", "https://app.example:443", "http://app.example:80", "https://a b"}) {
    INFO(bad);
    CHECK_FALSE(origin_problem(bad).empty());
  }
}

}  // namespace host::web
