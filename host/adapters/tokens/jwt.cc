#include "host/adapters/tokens/jwt.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "host/adapters/tokens/base64url.h"
#include "host/base/digest.h"

namespace host::tokens {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestHeader = 1024;  // it is read before the signature is checked
constexpr std::size_t kLongestSubject = 255;

Error refused(std::string why) { return make_error(Error::Code::invalid, std::move(why)); }

struct Parts {
  std::string_view header, payload, signature;
  std::string_view signed_text;
};

std::optional<Parts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Parts parts{.header = token.substr(0, first),
              .payload = token.substr(first + 1, second - first - 1),
              .signature = token.substr(second + 1),
              .signed_text = token.substr(0, second)};
  if (parts.signature.find('.') != std::string_view::npos) return std::nullopt;
  return parts;
}

/// The object that a part holds; discarded when it holds none.
json object_in(std::string_view part) {
  const std::optional<std::string> text = decode_base64url(part);
  if (!text) return json(json::value_t::discarded);
  json value = json::parse(*text, nullptr, false);
  return value.is_object() ? value : json(json::value_t::discarded);
}

Result<void> check_header(std::string_view part) {
  if (part.size() > kLongestHeader) return refused("the token's header is too long");
  const json header = object_in(part);
  if (header.is_discarded()) return refused("the token is no JSON web token");
  const auto algorithm = header.find("alg");
  if (algorithm == header.end() || *algorithm != "HS256") {
    return refused("the token is not signed with HS256");
  }
  // RFC 7515: what is critical and not understood must not be ignored; we understand none.
  if (header.contains("crit")) return refused("the token demands an extension");
  return {};
}

bool signature_fits(const JwtSettings& settings, const Parts& parts) {
  const std::optional<std::string> signature = decode_base64url(parts.signature);
  if (!signature) return false;
  bool fits = false;
  for (const std::string& secret : settings.secrets) {
    const Digest expected = hmac_sha256(secret, parts.signed_text);
    fits |= same_bytes(*signature, bytes_of(expected));
  }
  return fits;
}

/// Seconds since 1970 of a claim; NaN when it is there and no number.
std::optional<double> seconds_of(const json& claims, const char* name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return std::nullopt;
  return claim->is_number() ? claim->get<double>() : std::nan("");
}

Result<void> check_times(const JwtSettings& settings, const json& claims, Time now) {
  const double today = static_cast<double>(to_micros(now)) / 1e6;
  const double leeway = static_cast<double>(settings.leeway.count()) / 1e6;
  const std::optional<double> expires = seconds_of(claims, "exp");
  if (!expires) return refused("the token has no exp: it would be good for ever");
  if (!std::isfinite(*expires)) return refused("the token's exp is no time");
  if (today >= *expires + leeway) return refused("the token has expired");
  const std::optional<double> begins = seconds_of(claims, "nbf");
  if (begins && !std::isfinite(*begins)) return refused("the token's nbf is no time");
  if (begins && today + leeway < *begins) return refused("the token is not good yet");
  return {};
}

bool names(const json& claim, const std::string& wanted) {
  if (claim.is_string()) return claim == wanted;
  if (!claim.is_array()) return false;
  for (const json& each : claim) {
    if (each == wanted) return true;
  }
  return false;
}

Result<void> check_parties(const JwtSettings& settings, const json& claims) {
  if (settings.issuer) {
    const auto issuer = claims.find("iss");
    if (issuer == claims.end() || *issuer != *settings.issuer) {
      return refused("the token is from another issuer");
    }
  }
  const auto audience = claims.find("aud");
  if (!settings.audience) {
    if (audience == claims.end()) return {};
    return refused("the token is for an audience, and none is expected here");
  }
  if (audience == claims.end() || !names(*audience, *settings.audience)) {
    return refused("the token is for another audience");
  }
  return {};
}

Result<User> user_in(const json& claims) {
  User user;
  const auto subject = claims.find("sub");
  if (subject == claims.end() || !subject->is_string()) return refused("the token has no sub");
  user.subject = subject->get<std::string>();
  if (user.subject.empty() || user.subject.size() > kLongestSubject) {
    return refused("the token's sub is empty or too long");
  }
  const auto roles = claims.find("roles");
  if (roles == claims.end()) return user;
  if (!roles->is_array()) return refused("the token's roles are no list");
  for (const json& role : *roles) {
    if (!role.is_string()) return refused("the token's roles are not all texts");
    user.roles.push_back(role.get<std::string>());
  }
  return user;
}

}  // namespace

Result<User> verify_jwt(const JwtSettings& settings, std::string_view token, Time now) {
  const std::optional<Parts> parts = split(token);
  if (!parts) return refused("the token is no JSON web token");
  if (Result<void> header = check_header(parts->header); !header) return header.error();
  if (!signature_fits(settings, *parts)) return refused("the token's signature is wrong");
  const json claims = object_in(parts->payload);
  if (claims.is_discarded()) return refused("the token's claims are no JSON object");
  if (Result<void> times = check_times(settings, claims, now); !times) return times.error();
  if (Result<void> parties = check_parties(settings, claims); !parties) return parties.error();
  return user_in(claims);
}

}  // namespace host::tokens
