#include "host/adapters/web/cors.h"

#include <algorithm>

#include "host/adapters/web/header_name.h"

namespace host::web {
namespace {

constexpr const char* kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Headers of the host's own that pages have a use for.
constexpr const char* kExposed =
    "Correlation-Id, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, "
    "Retry-After, WWW-Authenticate";
constexpr std::string_view kHeaderList =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~, ";
constexpr std::size_t kLongestList = 1024;

void add_vary(Headers& headers, const std::string& name) {
  for (auto& [key, value] : headers) {
    if (!is_header(key, "vary")) continue;
    value += ", " + name;
    return;
  }
  headers.emplace_back("vary", name);
}

HttpResponse with(HttpResponse response, const Headers& added) {
  const bool own = std::any_of(
      response.headers.begin(), response.headers.end(),
      [](const auto& header) { return is_header(header.first, "access-control-allow-origin"); });
  for (const auto& [name, value] : added) {
    if (name == "vary") {
      add_vary(response.headers, value);
    } else if (!own) {
      response.headers.emplace_back(name, value);
    }
  }
  return response;
}

class Responder final : public ports::HttpResponder {
 public:
  Responder(std::unique_ptr<ports::HttpResponder> inner, Headers headers)
      : inner_(std::move(inner)), headers_(std::move(headers)) {}

  void respond(HttpResponse response) override {
    inner_->respond(with(std::move(response), headers_));
  }
  std::shared_ptr<ports::HttpStream> stream(HttpResponse head, Body body) override {
    return inner_->stream(with(std::move(head), headers_), body);
  }
  bool alive() const override { return inner_->alive(); }

 private:
  const std::unique_ptr<ports::HttpResponder> inner_;
  const Headers headers_;
};

}  // namespace

std::string_view origin_problem(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos || scheme == 0) {
    return "is no origin: scheme://host, and the port where it is not the scheme's own";
  }
  const std::string_view authority = origin.substr(scheme + 3);
  if (authority.empty() || authority.find_first_of("/?#@*, ") != std::string_view::npos) {
    return "is no origin: no path, no slash at its end, no wildcard inside";
  }
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::any_of(origin.begin(), origin.end(), upper)) return "has capitals: browsers send none";
  if (origin.ends_with(":443") && origin.starts_with("https:")) {
    return "names the scheme's own port: browsers leave it out";
  }
  if (origin.ends_with(":80") && origin.starts_with("http:")) {
    return "names the scheme's own port: browsers leave it out";
  }
  return "";
}

Cors::Cors(ports::HttpHandler& inner, CorsSettings settings)
    : inner_(inner), settings_(std::move(settings)), exposed_(kExposed) {
  for (const std::string& name : settings_.expose) exposed_ += ", " + name;
}

bool Cors::allows(const std::string& origin) const {
  return settings_.any_origin || std::find(settings_.origins.begin(), settings_.origins.end(),
                                           origin) != settings_.origins.end();
}

Headers Cors::headers_for(const std::string* origin) const {
  Headers headers;
  // Also to who is no page: a cache between us must not hand this answer to one.
  if (!settings_.any_origin) headers.emplace_back("vary", "Origin");
  if (origin == nullptr || !allows(*origin)) return headers;
  headers.emplace_back("access-control-allow-origin", settings_.any_origin ? "*" : *origin);
  if (settings_.credentials) headers.emplace_back("access-control-allow-credentials", "true");
  return headers;
}

HttpResponse Cors::preflight(const HttpRequest& request, const std::string& origin) const {
  HttpResponse response{.status = 204, .headers = headers_for(&origin), .body = {}};
  response.headers.emplace_back("access-control-allow-methods", kMethods);
  response.headers.emplace_back(
      "access-control-max-age",
      std::to_string(std::chrono::floor<std::chrono::seconds>(settings_.max_age).count()));
  const std::string* wanted = find_header(request.headers, "access-control-request-headers");
  if (wanted != nullptr && !wanted->empty() && wanted->size() <= kLongestList &&
      wanted->find_first_not_of(kHeaderList) == std::string::npos) {
    response.headers.emplace_back("access-control-allow-headers", *wanted);
    add_vary(response.headers, "Access-Control-Request-Headers");
  }
  return response;
}

void Cors::handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) {
  const std::string* origin = find_header(request.headers, "origin");
  const bool asks_first = origin != nullptr && request.method == "OPTIONS" &&
                          find_header(request.headers, "access-control-request-method") != nullptr;
  if (asks_first && allows(*origin)) return responder->respond(preflight(request, *origin));
  if (asks_first) {
    return responder->respond(
        with(problem(403, "pages of this origin are not among those that `cors` names"),
             headers_for(origin)));
  }
  Headers headers = headers_for(origin);
  if (find_header(headers, "access-control-allow-origin") != nullptr) {
    headers.emplace_back("access-control-expose-headers", exposed_);
  }
  inner_.handle(std::move(request),
                std::make_unique<Responder>(std::move(responder), std::move(headers)));
}

}  // namespace host::web
