#include "host/app/auth_settings.h"

#include <nlohmann/json.hpp>

#include "host/script/data_file.h"

namespace host::app {
namespace {

using nlohmann::json;
using Path = TableReader::Path;

constexpr const char* kTokens =
    "tokens = { { token = \"env:NAME\", subject = \"ops\", roles = { \"admin\" } } }";
constexpr const char* kJwt = "jwt = { secret = \"env:NAME\", issuer = \"...\" }";
constexpr Duration kLongestLeeway = std::chrono::minutes(10);

bool is_role(const std::string& text) {
  return !text.empty() && text.size() <= 60 && text != "none" &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789_") == std::string::npos;
}

class AuthReader {
 public:
  explicit AuthReader(TableReader& reader) : reader_(reader) {}

  tokens::Settings read(const Path& at, const json& table) {
    if (!reader_.is_table(at, table, kTokens)) return {};
    for (const auto& [name, value] : table.items()) {
      const Path here = at + name;
      if (name == "tokens") {
        tokens(here, value);
      } else if (name == "jwt") {
        jwt(here, value);
      } else {
        reader_.unknown(here, " of auth", {"tokens", "jwt"});
      }
    }
    if (table.empty()) {
      reader_.problem(at, "auth names neither tokens nor jwt: nobody could come in", kTokens);
    }
    return std::move(out_);
  }

 private:
  void tokens(const Path& at, const json& value) {
    if (!value.is_array()) return reader_.problem(at, "tokens must be a list", kTokens);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Path here = at + ("#" + std::to_string(i + 1));  // as lines of items are found
      if (reader_.is_table(here, value[i], kTokens)) token(here, value[i]);
    }
  }

  void token(const Path& at, const json& value) {
    tokens::StaticToken out;
    for (const auto& [name, what] : value.items()) {
      const Path here = at + name;
      if (name == "token") {
        out.token = secret_token(here, what);
      } else if (name == "subject") {
        out.subject = reader_.text_of(here, what).value_or("");
      } else if (name == "roles") {
        out.roles = roles(here, what);
      } else {
        reader_.unknown(here, " of a token", {"token", "subject", "roles"});
      }
    }
    if (!value.contains("token")) reader_.problem(at, "a token says no token", kTokens);
    if (out.subject.empty()) reader_.problem(at, "a token says no subject", kTokens);
    out_.tokens.push_back(std::move(out));
  }

  std::string secret_token(const Path& at, const json& value) {
    std::optional<std::string> token = reader_.secret(at, value);
    if (!token) return "";
    const std::string_view why = tokens::token_problem(*token);
    if (!why.empty()) reader_.problem(at, "the token " + std::string(why), "openssl rand -hex 32");
    return std::move(*token);
  }

  std::vector<std::string> roles(const Path& at, const json& value) {
    std::vector<std::string> out = reader_.texts(at, value, "roles = { \"admin\" }");
    for (const std::string& role : out) {
      if (!is_role(role)) {
        reader_.problem(at, "\"" + role + "\" is no role", "letters, digits and _, at most 60");
      }
    }
    return out;
  }

  void jwt(const Path& at, const json& value) {
    if (!reader_.is_table(at, value, kJwt)) return;
    tokens::JwtSettings& out = out_.jwt.emplace();
    for (const auto& [name, what] : value.items()) {
      const Path here = at + name;
      if (name == "secret") {
        secrets(here, what, out);
      } else if (name == "issuer") {
        out.issuer = reader_.text_of(here, what);
      } else if (name == "audience") {
        out.audience = reader_.text_of(here, what);
      } else if (name == "leeway") {
        leeway(here, what, out);
      } else {
        reader_.unknown(here, " of jwt", {"secret", "issuer", "audience", "leeway"});
      }
    }
    if (!value.contains("secret")) reader_.problem(at, "jwt says no secret", kJwt);
  }

  /// One, or a list while one takes another's place.
  void secrets(const Path& at, const json& value, tokens::JwtSettings& out) {
    const json all = value.is_array() ? value : json::array({value});
    for (const json& each : all) {
      std::optional<std::string> secret = reader_.secret(at, each);
      if (!secret) continue;
      if (secret->size() < tokens::kShortestSecret) {
        reader_.problem(at, "the secret is shorter than 32 bytes: it could be guessed",
                        "openssl rand -hex 32");
      }
      out.secrets.push_back(std::move(*secret));
    }
  }

  void leeway(const Path& at, const json& value, tokens::JwtSettings& out) {
    out.leeway = reader_.duration(at, value).value_or(out.leeway);
    if (out.leeway > kLongestLeeway) {
      reader_.problem(at, "leeway is more than 10 minutes",
                      "mend the clocks, or let tokens be good longer");
    }
  }

  TableReader& reader_;
  tokens::Settings out_;
};

}  // namespace

tokens::Settings read_auth(TableReader& reader, const Path& at, const json& table) {
  return AuthReader(reader).read(at, table);
}

AuthResult read_auth_file(const std::string& file, const std::string& text,
                          const std::string& root) {
  Result<json> table = script::load_data(file, text);
  if (!table) return {.auth = {}, .problems = {problem_of(file, table.error())}};
  TableReader reader(file, text, root);
  AuthResult out;
  out.auth = read_auth(reader, {}, *table);
  out.problems = reader.take_problems();
  return out;
}

Problem problem_of(const std::string& file, const Error& error) {
  return {.file = error.file.empty() ? file : error.file,
          .line = error.line,
          .column = 0,
          .message = error.message,
          .hint = error.hint};
}

}  // namespace host::app
