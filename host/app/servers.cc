#include "host/app/servers.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "host/adapters/files/read_file.h"
#include "host/adapters/kafka/url.h"
#include "host/adapters/postgres/conninfo.h"

namespace host::app {
namespace {

bool is_reference(const std::string& text) {
  return text.starts_with("env:") || text.starts_with("file:");
}

std::string what(std::string_view option, const Error& error) {
  return std::string(option) + ": " + error.to_string();
}

/// A text that is none of the URLs that are known; no more than its scheme is repeated.
std::string unknown(std::string_view option, const std::string& url, const char* example) {
  const std::size_t end = url.find("://");
  const std::string scheme = end < 20 ? " " + url.substr(0, end) : "";
  return std::string(option) + scheme + " is unknown: it is embedded, or " + example;
}

}  // namespace

bool is_embedded(const std::optional<std::string>& url) {
  return !url || url->empty() || *url == "embedded";
}

std::string log_url_problem(std::string_view option, const std::string& url, bool others_see_it) {
  if (is_embedded(url)) return "";
  if (!url.starts_with("kafka://")) {
    return unknown(option, url, "kafka://BROKER:9092,BROKER:9092");
  }
  const Result<kafka::Options> parsed = kafka::parse_url(url);
  if (!parsed) return what(option, parsed.error());
  for (const auto& [name, value] : parsed->settings) {
    if (!others_see_it || !kafka::is_secret(name) || is_reference(value)) continue;
    return std::string(option) + ": " + name + " is a secret that others would see here: say " +
           name + "=env:NAME or =file:PATH";
  }
  return "";
}

std::string store_url_problem(std::string_view option, const std::string& url, bool others_see_it) {
  if (is_embedded(url)) return "";
  const bool names_values = url.find("://") == std::string::npos && url.find('=') < url.size();
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://") && !names_values) {
    return unknown(option, url, "postgresql://USER@HOST:5432/DATABASE");
  }
  const Result<postgres::Conninfo> parsed = postgres::Conninfo::parse(url);
  if (!parsed) {
    // A client library that is not there is no wrong call: who connects says so.
    return parsed.error().code == Error::Code::invalid ? what(option, parsed.error()) : "";
  }
  if (!others_see_it || !parsed->has_password()) return "";
  return std::string(option) +
         ": others would see the password here: give it as PGPASSWORD, in PGPASSFILE, or the whole "
         "URL as HOST_STORE or as \"env:NAME\" of a deployment file";
}

Result<std::string> resolve_secret(const std::string& text, const std::string& root) {
  if (text.starts_with("env:")) {
    const char* found = std::getenv(text.c_str() + 4);
    if (found != nullptr) return std::string(found);
    return make_error(Error::Code::invalid,
                      "names the variable " + text.substr(4) + ", which is not set");
  }
  if (!text.starts_with("file:")) return text;
  const auto path = std::filesystem::path(root) / text.substr(5);
  Result<std::string> read = files::read_file(path.string());
  if (!read) return read.error();
  while (!read->empty() && (read->back() == '\n' || read->back() == '\r')) read->pop_back();
  return read;
}

Result<std::optional<Servers>> read_servers(const std::optional<std::string>& log,
                                            const std::optional<std::string>& store,
                                            const RolePasswords& passwords,
                                            const std::string& root) {
  if (is_embedded(log) && is_embedded(store)) return std::optional<Servers>();
  if (is_embedded(log) || is_embedded(store)) {
    const bool no_log = is_embedded(log);
    return make_error(Error::Code::invalid,
                      no_log ? "a store on PostgreSQL needs a log on Kafka: --log is missing"
                             : "a log on Kafka needs a store on PostgreSQL: --store is missing",
                      "both are embedded, or --log kafka://BROKER:9092 with "
                      "--store postgresql://USER@HOST/DATABASE");
  }
  for (const std::string& problem :
       {log_url_problem("--log", *log, false), store_url_problem("--store", *store, false)}) {
    if (!problem.empty()) return make_error(Error::Code::invalid, problem);
  }
  Result<kafka::Options> options = kafka::parse_url(*log);
  if (!options) return options.error();
  for (auto& [name, value] : options->settings) {
    Result<std::string> resolved = resolve_secret(value, root);
    if (!resolved) {
      const char* between = value.starts_with("env:") ? " " : ": ";
      return make_error(Error::Code::invalid, "--log, " + name + between + resolved.error().message,
                        resolved.error().hint);
    }
    value = std::move(*resolved);
  }
  return std::optional(
      Servers{.log = std::move(*options), .store = *store, .passwords = passwords});
}

}  // namespace host::app
