#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "host/core/user.h"
#include "host/ports/authenticator.h"
#include "host/runtime/environment.h"
#include "host/runtime/rate_limiter.h"
#include "host/runtime/routes.h"

namespace host::runtime {

/// Who may use a route, and how often: the token's user, the route's roles, `own` and `limit`.
/// Only on its lane.
class Access {
 public:
  /// Without an authenticator everybody on this machine has every role, but no page of another site
  /// that somebody's browser shows.
  Access(const Environment& environment, const ports::Authenticator* authenticator,
         std::shared_ptr<RateLimiter> limiter);

  struct Admitted {
    User user;
    Headers headers;  // for the answer: what is left of the route's limit
  };
  /// Admits the request, or answers it: 401, 403 or 429.
  std::variant<Admitted, HttpResponse> admit(const std::string& plugin,
                                             const Manifest::Route& route,
                                             const Routes::Parameters& parameters,
                                             const HttpRequest& request);

 private:
  std::optional<HttpResponse> over_limit(const std::string& plugin, const Manifest::Route& route,
                                         const HttpRequest& request, Admitted& admitted);

  const Environment& env_;
  const ports::Authenticator* const authenticator_;
  const std::shared_ptr<RateLimiter> limiter_;
};

/// Whether `user` may use the route: 401 when nobody is named, 403 when the roles do not suffice or
/// the route is another user's own. Who has the role `admin`, where the route names it, may use
/// everybody's.
std::optional<HttpResponse> refuse_user(const Manifest::Route& route,
                                        const Routes::Parameters& parameters, const User& user);

/// Whether the request comes from a page of another site, which a browser on this machine shows: it
/// says so by Origin, or by Sec-Fetch-Site where it sends no Origin.
bool from_foreign_page(const HttpRequest& request);

/// Whether "host:port" or "host" of a Host header, or "http://host:port" of an Origin, is loopback.
bool names_loopback(std::string_view text);

/// 401 for a token that was refused.
HttpResponse refuse_token(const Error& error);

/// What `by = "address"` counts by: an IPv4 address, or the /64 network of an IPv6 one, which is
/// what one customer has.
std::string network_of(const std::string& address);

}  // namespace host::runtime
