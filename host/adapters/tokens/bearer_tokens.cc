#include "host/adapters/tokens/bearer_tokens.h"

namespace host::tokens {
namespace {

constexpr std::string_view kScheme = "bearer ";

Error refused(const char* why) { return make_error(Error::Code::invalid, why); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool begins_with_scheme(std::string_view value) {
  if (value.size() < kScheme.size()) return false;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (lower(value[i]) != kScheme[i]) return false;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// b64token of RFC 6750.
bool is_token(std::string_view text) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
  const std::size_t end = text.find_first_not_of(kCharacters);
  if (end == 0 || text.empty()) return false;
  return end == std::string_view::npos ||
         text.find_first_not_of('=', end) == std::string_view::npos;
}

}  // namespace

std::string_view token_problem(std::string_view token) {
  if (token.size() < kShortestToken) return "is shorter than 16 characters: it could be guessed";
  if (!is_token(token)) return "may have letters, digits and -._~+/ only, with = at the end";
  return "";
}

BearerTokens::BearerTokens(Settings settings) : jwt_(std::move(settings.jwt)) {
  for (StaticToken& token : settings.tokens) {
    known_.push_back(
        {.digest = sha256(token.token),
         .user = {.subject = std::move(token.subject), .roles = std::move(token.roles)}});
  }
}

Result<User> BearerTokens::user_of(const HttpRequest& request, Time now) const {
  const std::string* given = nullptr;
  for (const auto& [name, value] : request.headers) {
    if (name != "authorization") continue;
    // Two parties might each look at another one.
    if (given != nullptr) return refused("the request has two Authorization headers");
    given = &value;
  }
  if (given == nullptr || !begins_with_scheme(*given)) return User{};
  return verify(trimmed(std::string_view(*given).substr(kScheme.size())), now);
}

Result<User> BearerTokens::verify(std::string_view token, Time now) const {
  if (!is_token(token)) return refused("this is no bearer token");
  const Digest digest = sha256(token);
  const Known* found = nullptr;
  for (const Known& known : known_) {
    if (same_bytes(bytes_of(known.digest), bytes_of(digest))) found = &known;
  }
  if (found != nullptr) return found->user;
  if (jwt_) return verify_jwt(*jwt_, token, now);
  return refused("the token is not known");
}

}  // namespace host::tokens
