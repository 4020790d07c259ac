#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/adapters/tokens/jwt.h"
#include "host/base/digest.h"
#include "host/ports/authenticator.h"

namespace host::tokens {

inline constexpr std::size_t kShortestToken = 16;  // characters of a static token

struct StaticToken {
  std::string token;
  std::string subject;
  std::vector<std::string> roles;
};

struct Settings {
  std::vector<StaticToken> tokens;
  std::optional<JwtSettings> jwt;
};

/// Why `token` cannot be sent as a bearer token, or is too short to be a secret; "" when it can.
std::string_view token_problem(std::string_view token);

/// "Authorization: Bearer TOKEN" against static tokens and JSON web tokens (RFC 6750). Of static
/// tokens only digests are kept; they are compared in constant time, all of them, so that time
/// tells nothing about any. Other schemes are somebody else's and count as no token.
/// Immutable, thread-safe.
class BearerTokens final : public ports::Authenticator {
 public:
  explicit BearerTokens(Settings settings);

  Result<User> user_of(const HttpRequest& request, Time now) const override;
  /// The same for a token alone.
  Result<User> verify(std::string_view token, Time now) const;

 private:
  struct Known {
    Digest digest;
    User user;
  };
  std::vector<Known> known_;
  std::optional<JwtSettings> jwt_;
};

}  // namespace host::tokens
