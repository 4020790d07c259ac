#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/core/user.h"

namespace host::tokens {

inline constexpr std::size_t kShortestSecret = 32;  // bytes; RFC 7518, section 3.2

struct JwtSettings {
  std::vector<std::string> secrets;     // any of them; several while one takes another's place
  std::optional<std::string> issuer;    // demanded as `iss`
  std::optional<std::string> audience;  // demanded in `aud`
  Duration leeway = std::chrono::seconds(30);  // that clocks may differ
};

/// The user that a JSON web token names (RFC 7519): `sub` and `roles`. Only HS256 is taken,
/// whatever else the header asks for. `exp` is a must. `iss` and `aud` as the settings demand; a
/// token that has an audience where none is expected is for somebody else. Nothing of the payload
/// is read before the signature is right. Error: invalid; its message is for the client.
Result<User> verify_jwt(const JwtSettings& settings, std::string_view token, Time now);

}  // namespace host::tokens
