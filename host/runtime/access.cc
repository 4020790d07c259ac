#include "host/runtime/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace host::runtime {
namespace {

constexpr const char* kAdmin = "admin";
constexpr const char* kChallenge = "Bearer realm=\"host\"";

/// As a quoted string of a header: what the token's text could bring in is left out.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c >= ' ' && c < 0x7F && c != '"' && c != '\\') out += c;
  }
  return out + '"';
}

HttpResponse refusal(int status, const std::string& detail, const char* error) {
  std::string challenge = kChallenge;
  if (error != nullptr) {
    challenge += std::string(", error=\"") + error + "\", error_description=" + quoted(detail);
  }
  return problem(status, detail, {}, {{"www-authenticate", std::move(challenge)}});
}

bool owns(const Manifest::Route& route, const Routes::Parameters& parameters, const User& user) {
  for (const auto& [name, value] : parameters) {
    if (name == route.own_param) return value == user.subject;
  }
  return false;
}

std::string text_of(const std::vector<std::string>& roles) {
  std::string out;
  for (const std::string& role : roles) out += (out.empty() ? "" : " or ") + role;
  return out;
}

std::string seconds_of(Duration time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count());
}

}  // namespace

HttpResponse refuse_token(const Error& error) {
  return refusal(401, error.message, "invalid_token");
}

std::optional<HttpResponse> refuse_user(const Manifest::Route& route,
                                        const Routes::Parameters& parameters, const User& user) {
  if (route.auth_none || user.every_role) return std::nullopt;
  if (!user.named()) return refusal(401, "this route demands a bearer token", nullptr);
  const bool allowed = std::any_of(route.roles.begin(), route.roles.end(),
                                   [&](const std::string& role) { return user.has(role); });
  if (!allowed) {
    return refusal(403, "this route demands the role " + text_of(route.roles),
                   "insufficient_scope");
  }
  if (route.own_param.empty() || owns(route, parameters, user)) return std::nullopt;
  const bool admin_named =
      std::find(route.roles.begin(), route.roles.end(), kAdmin) != route.roles.end();
  if (admin_named && user.has(kAdmin)) return std::nullopt;
  return refusal(403, "this is another user's: the token is not for this " + route.own_param,
                 "insufficient_scope");
}

bool names_loopback(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (text.starts_with(scheme)) text.remove_prefix(scheme.size());
  }
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == text.npos) {
    text = text.substr(0, colon);
  }
  if (text == "localhost" || text == "[::1]") return true;
  // Digits only: a name of the web may begin with 127, too.
  return text.starts_with("127.") &&
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool from_foreign_page(const HttpRequest& request) {
  const std::string* origin = find_header(request.headers, "origin");
  if (origin != nullptr) return !names_loopback(*origin);
  const std::string* site = find_header(request.headers, "sec-fetch-site");
  return site != nullptr && *site == "cross-site";
}

std::string network_of(const std::string& address) {
  in6_addr v6 = {};
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return address;
  const std::string_view bytes(reinterpret_cast<const char*>(v6.s6_addr), sizeof v6.s6_addr);
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (!bytes.starts_with(kMapped)) return std::string(bytes.substr(0, 8));
  in_addr v4 = {};
  std::memcpy(&v4, bytes.data() + kMapped.size(), sizeof v4);
  std::array<char, INET_ADDRSTRLEN> text{};
  return ::inet_ntop(AF_INET, &v4, text.data(), text.size());
}

Access::Access(const Environment& environment, const ports::Authenticator* authenticator,
               std::shared_ptr<RateLimiter> limiter)
    : env_(environment), authenticator_(authenticator), limiter_(std::move(limiter)) {}

std::variant<Access::Admitted, HttpResponse> Access::admit(const std::string& plugin,
                                                           const Manifest::Route& route,
                                                           const Routes::Parameters& parameters,
                                                           const HttpRequest& request) {
  Admitted admitted;
  admitted.user.every_role = authenticator_ == nullptr;
  std::optional<HttpResponse> refused;
  if (authenticator_ != nullptr) {
    Result<User> user = authenticator_->user_of(request, env_.clock.now());
    // Where no token is demanded, one that is no good is as good as none.
    if (user) admitted.user = std::move(*user);
    if (!user && !route.auth_none) refused = refuse_token(user.error());
  }
  if (!refused) refused = refuse_user(route, parameters, admitted.user);
  if (!refused && admitted.user.every_role && !route.auth_none && from_foreign_page(request)) {
    refused = problem(403, "pages of other sites are not granted roles without `auth`");
  }
  if (!refused && route.limit) refused = over_limit(plugin, route, request, admitted);
  if (!refused) return admitted;
  env_.metrics.add(
      "host_http_requests_total", 1,
      {{"plugin", plugin}, {"route", route.name()}, {"status", std::to_string(refused->status)}});
  return std::move(*refused);
}

std::optional<HttpResponse> Access::over_limit(const std::string& plugin,
                                               const Manifest::Route& route,
                                               const HttpRequest& request, Admitted& admitted) {
  const Manifest::Limit& limit = *route.limit;
  const bool by_user = limit.by_user && admitted.user.named();
  const std::string who = by_user ? "u" + admitted.user.subject : "a" + network_of(request.address);
  std::string key = plugin + ' ' + route.name();
  key += '\0';
  key += who;
  const RateLimiter::Verdict verdict = limiter_->take(limit, key, env_.clock.now());
  const std::string name = by_user ? "\"user\"" : "\"address\"";
  const Duration window = std::chrono::ceil<Duration>(limit.span());
  admitted.headers = {
      {"ratelimit-policy", name + ";q=" + std::to_string(limit.burst) + ";w=" + seconds_of(window)},
      {"ratelimit",
       name + ";r=" + std::to_string(verdict.remaining) + ";t=" + seconds_of(verdict.full_after)}};
  if (verdict.allowed) return std::nullopt;
  Headers headers = admitted.headers;
  headers.emplace_back("retry-after", seconds_of(verdict.retry_after));
  return problem(429,
                 "this route takes " + std::to_string(limit.rate) + " requests in " +
                     format_duration(limit.per) + (by_user ? " from a user" : " from an address"),
                 {}, std::move(headers));
}

}  // namespace host::runtime
