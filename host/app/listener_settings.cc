#include "host/app/listener_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace host::app {
namespace {

using nlohmann::json;
using Path = TableReader::Path;

constexpr const char* kProxies = "trusted_proxies = { \"10.0.0.0/8\" }";
constexpr const char* kCors = "cors = { origins = { \"https://app.example\" } }";
constexpr const char* kTls = "tls = { cert = \"PATH\", key = \"PATH\" }";
constexpr Duration kLongestMaxAge = std::chrono::hours(24);

void read_origins(TableReader& reader, const Path& at, const json& value, web::CorsSettings& out) {
  if (value == "*") {
    out.any_origin = true;
    return;
  }
  out.origins = reader.texts(at, value, kCors);
  for (const std::string& origin : out.origins) {
    const std::string_view why = web::origin_problem(origin);
    if (!why.empty()) reader.problem(at, "\"" + origin + "\" " + std::string(why));
  }
}

void read_expose(TableReader& reader, const Path& at, const json& value, web::CorsSettings& out) {
  out.expose = reader.texts(at, value, "expose = { \"X-Name\" }");
  const auto is_name = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of(
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU"
                                "VWXYZ0123456789-_") == std::string::npos;
  };
  if (!std::all_of(out.expose.begin(), out.expose.end(), is_name)) {
    reader.problem(at, "expose must be names of headers");
  }
}

}  // namespace

void read_trusted_proxies(TableReader& reader, const Path& at, const json& value,
                          ListenerSettings& out) {
  const std::vector<std::string> networks = reader.texts(at, value, kProxies);
  Result<web::TrustedProxies> read = web::TrustedProxies::parse(networks);
  if (!read) return reader.problem(at, read.error().message, read.error().hint);
  out.proxies = std::make_shared<const web::TrustedProxies>(std::move(*read));
}

void read_cors(TableReader& reader, const Path& at, const json& value, ListenerSettings& out) {
  if (!reader.is_table(at, value, kCors)) return;
  web::CorsSettings& cors = out.cors.emplace();
  for (const auto& [name, what] : value.items()) {
    const Path here = at + name;
    if (name == "origins") {
      read_origins(reader, here, what, cors);
    } else if (name == "credentials") {
      cors.credentials = reader.flag(here, what).value_or(false);
    } else if (name == "expose") {
      read_expose(reader, here, what, cors);
    } else if (name == "max_age") {
      cors.max_age = std::min(reader.duration(here, what).value_or(cors.max_age), kLongestMaxAge);
    } else {
      reader.unknown(here, " of cors", {"origins", "credentials", "expose", "max_age"});
    }
  }
  if (!cors.any_origin && cors.origins.empty()) reader.problem(at, "cors names no origins", kCors);
  if (cors.any_origin && cors.credentials) {
    reader.problem(at, "cors lets every site ask with its visitors' credentials",
                   "name the origins, or leave credentials out: bearer tokens need none");
  }
}

std::optional<TlsFilePaths> read_tls(TableReader& reader, const Path& at, const json& value) {
  if (!reader.is_table(at, value, kTls)) return std::nullopt;
  TlsFilePaths out;
  for (const auto& [name, what] : value.items()) {
    const Path here = at + name;
    if (name == "cert") {
      out.certificate = reader.text_of(here, what).value_or("");
    } else if (name == "key") {
      out.key = reader.text_of(here, what).value_or("");
    } else {
      reader.unknown(here, " of " + at.back(), {"cert", "key"});
    }
  }
  if (out.certificate.empty()) reader.problem(at, at.back() + " says no cert", kTls);
  if (out.key.empty()) reader.problem(at, at.back() + " says no key", kTls);
  return out;
}

}  // namespace host::app
