#include "host/app/admin_guard.h"

#include "host/core/manifest.h"
#include "host/runtime/access.h"

namespace host::app {
namespace {

std::string_view without_scheme(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.rfind(scheme, 0) == 0) text.remove_prefix(scheme.size());
  }
  return text;
}

std::optional<HttpResponse> refuse_on_loopback(const HttpRequest& request) {
  const std::string* host = find_header(request.headers, "host");
  if (host == nullptr || !runtime::names_loopback(*host)) {
    return problem(403, "the admin listener answers to loopback names only, such as 127.0.0.1");
  }
  if (runtime::from_foreign_page(request)) {
    return problem(403, "requests of other sites' pages are refused");
  }
  return std::nullopt;
}

bool from_other_site(const HttpRequest& request) {
  const std::string* origin = find_header(request.headers, "origin");
  if (origin == nullptr) return false;
  const std::string* host = find_header(request.headers, "host");
  return host == nullptr || without_scheme(*origin) != *host;
}

Manifest::Route demanding(std::vector<std::string> roles) {
  Manifest::Route route;
  route.roles = std::move(roles);
  return route;
}

}  // namespace

std::optional<HttpResponse> AdminGuard::refuse(const HttpRequest& request, Time now) const {
  if (authenticator_ == nullptr) return refuse_on_loopback(request);
  if (from_other_site(request)) return problem(403, "requests of other sites' pages are refused");
  if (request.path == "/healthz" || request.path == "/readyz") return std::nullopt;
  const Result<User> user = authenticator_->user_of(request, now);
  if (!user) return runtime::refuse_token(user.error());
  const Manifest::Route route =
      request.path == "/metrics" ? demanding({"admin", "metrics"}) : demanding({"admin"});
  return runtime::refuse_user(route, {}, *user);
}

}  // namespace host::app
