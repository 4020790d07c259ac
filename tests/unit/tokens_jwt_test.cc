#include <catch2/catch.hpp>

#include "host/adapters/tokens/base64url.h"
#include "host/adapters/tokens/jwt.h"
#include "tests/unit/tokens_support.h"

namespace host::tokens {
namespace {

const std::string kSecret(32, 's');
const Time kNow = from_micros(1'800'000'000'000'000);  // exp and nbf below are seconds of it

std::string claims(const std::string& more = R"("exp":1800000060)") {
  return R"({"sub":"ada","roles":["player","editor"],)" + more + "}";
}

Result<User> verify(const std::string& token, JwtSettings settings = {}, Time now = kNow) {
  if (settings.secrets.empty()) settings.secrets = {kSecret};
  return verify_jwt(settings, token, now);
}

std::string why(const std::string& token, JwtSettings settings = {}) {
  const Result<User> user = verify(token, std::move(settings));
  return user ? "it is good" : user.error().message;
}

}  // namespace

TEST_CASE("a good token names its subject and roles") {
  const Result<User> user = verify(sign(kSecret, claims()));
  REQUIRE(user.ok());
  CHECK(user->subject == "ada");
  CHECK(user->roles == std::vector<std::string>{"player", "editor"});
  CHECK_FALSE(user->every_role);
  CHECK(verify(sign(kSecret, R"({"sub":"ada","exp":1800000060})"))->roles.empty());
}

TEST_CASE("the example of RFC 7515 is signed as we expect") {
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string key = *decode_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const Time then = from_micros(1'300'819'379'000'000);
  // It has no subject: that is found only behind signature, exp and issuer.
  CHECK(verify(token, {.secrets = {key}, .issuer = "joe", .audience = {}}, then).error().message ==
        "the token has no sub");
  CHECK(
      verify(token, {.secrets = {key + "x"}, .issuer = {}, .audience = {}}, then).error().message ==
      "the token's signature is wrong");
}

TEST_CASE("no other algorithm is taken, whatever the header says") {
  const std::string wrong = "the token is not signed with HS256";
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"NONE"})", R"({"alg":"HS512"})", R"({"alg":"RS256"})",
        R"({"alg":"hs256"})", R"({"alg":["HS256"]})", R"({"alg":null})", R"({"typ":"JWT"})"}) {
    INFO(header);
    CHECK(why(sign(kSecret, claims(), header)) == wrong);
    const std::string text = encode_base64url(header) + "." + encode_base64url(claims());
    CHECK(why(text + ".") == wrong);
  }
  CHECK(why(sign(kSecret, claims(), R"({"alg":"HS256","crit":["x"],"x":1})")) ==
        "the token demands an extension");
}

TEST_CASE("a changed token is refused, wherever it was changed") {
  const std::string good = sign(kSecret, claims());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    INFO(i << ": " << changed);
    CHECK_FALSE(verify(changed).ok());
  }
  CHECK(why(sign(std::string(32, 'x'), claims())) == "the token's signature is wrong");
  CHECK_FALSE(verify(good + "A").ok());
  CHECK_FALSE(verify(good.substr(0, good.size() - 1)).ok());
}

TEST_CASE("what is no token at all is refused as such") {
  for (const char* text : {"", ".", "..", "...", "a", "a.b", "a.b.c.d", "e30.e30.e30", "!.!.!"}) {
    INFO(text);
    CHECK_FALSE(verify(text).ok());
  }
  CHECK(why(sign(kSecret, claims(), std::string(2000, ' ') + R"({"alg":"HS256"})")) ==
        "the token's header is too long");
  CHECK(why(sign(kSecret, "[]")) == "the token's claims are no JSON object");
  CHECK(why(sign(kSecret, std::string(5000, '['))) == "the token's claims are no JSON object");
}

TEST_CASE("a token is good from nbf to exp, with a leeway for clocks") {
  const JwtSettings exact{.secrets = {}, .issuer = {}, .audience = {}, .leeway = Duration::zero()};
  struct Row {
    const char* times;
    bool exactly, leniently;
  };
  const Row rows[] = {
      {R"("exp":1800000001)", true, true},
      {R"("exp":1800000000)", false, true},
      {R"("exp":1799999971)", false, true},
      {R"("exp":1799999970)", false, false},
      {R"("exp":1800000000.5)", true, true},
      {R"("exp":1900000000,"nbf":1800000000)", true, true},
      {R"("exp":1900000000,"nbf":1800000030)", false, true},
      {R"("exp":1900000000,"nbf":1800000031)", false, false},
      {R"("exp":-1)", false, false},
      {R"("exp":"1900000000")", false, false},
      {R"("exp":null)", false, false},
      {R"("exp":1900000000,"nbf":"soon")", false, false},
      {R"("nbf":1)", false, false},
  };
  for (const Row& row : rows) {
    INFO(row.times);
    const std::string token = sign(kSecret, claims(row.times));
    CHECK(verify(token, exact).ok() == row.exactly);
    CHECK(verify(token).ok() == row.leniently);
  }
  CHECK(why(sign(kSecret, claims(R"("exp":1)"))) == "the token has expired");
  CHECK(why(sign(kSecret, claims(R"("nbf":1)"))) ==
        "the token has no exp: it would be good for ever");
}

TEST_CASE("issuer and audience are held to what the deployment expects") {
  const auto token = [](const std::string& more) {
    return sign(kSecret, claims(R"("exp":1900000000)" + more));
  };
  const JwtSettings ours{.secrets = {}, .issuer = "us", .audience = "bets"};
  CHECK(verify(token(R"(,"iss":"us","aud":"bets")"), ours).ok());
  CHECK(verify(token(R"(,"iss":"us","aud":["x","bets"])"), ours).ok());
  CHECK(why(token(R"(,"iss":"them","aud":"bets")"), ours) == "the token is from another issuer");
  CHECK(why(token(R"(,"aud":"bets")"), ours) == "the token is from another issuer");
  CHECK(why(token(R"(,"iss":["us"],"aud":"bets")"), ours) == "the token is from another issuer");
  for (const char* other : {"", R"(,"aud":"x")", R"(,"aud":[])", R"(,"aud":5)"}) {
    INFO(other);
    CHECK(why(token(std::string(R"(,"iss":"us")") + other), ours) ==
          "the token is for another audience");
  }
  CHECK(why(token(R"(,"aud":"bets")")) ==
        "the token is for an audience, and none is expected here");
}

TEST_CASE("a token must say whom it names, and roles as texts") {
  const auto said = [](const std::string& claims) {
    return why(sign(kSecret, R"({"exp":1900000000,)" + claims + "}"));
  };
  CHECK(said(R"("roles":[])") == "the token has no sub");
  CHECK(said(R"("sub":7)") == "the token has no sub");
  CHECK(said(R"("sub":"")") == "the token's sub is empty or too long");
  CHECK(said(R"("sub":")" + std::string(256, 'a') + '"') == "the token's sub is empty or too long");
  CHECK(said(R"("sub":"a","roles":"admin")") == "the token's roles are no list");
  CHECK(said(R"("sub":"a","roles":[1])") == "the token's roles are not all texts");
}

TEST_CASE("several secrets are good while one takes another's place") {
  const JwtSettings both{.secrets = {kSecret, std::string(32, 'n')}, .issuer = {}, .audience = {}};
  CHECK(verify(sign(kSecret, claims()), both).ok());
  CHECK(verify(sign(std::string(32, 'n'), claims()), both).ok());
  CHECK_FALSE(verify(sign(std::string(32, 'o'), claims()), both).ok());
}

TEST_CASE("base64url is taken in its one form") {
  for (const char* bytes : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"}) {
    CHECK(decode_base64url(encode_base64url(bytes)) == bytes);
  }
  CHECK(encode_base64url("\xff\xef") == "_-8");
  for (const char* text : {"A", "_-9", "_-8=", "a+b_", "ab c", "AB\n", "AAAAA"}) {
    INFO(text);
    CHECK_FALSE(decode_base64url(text));
  }
}

}  // namespace host::tokens
