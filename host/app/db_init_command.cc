// `host db init`: roles and schemas of plugins in a PostgreSQL database.
#include <algorithm>
#include <cstdio>

#include "host/adapters/postgres/roles.h"
#include "host/adapters/telemetry/logger.h"
#include "host/adapters/telemetry/metrics.h"
#include "host/app/call_parts.h"
#include "host/app/commands.h"
#include "host/app/load_revision.h"
#include "host/app/role_passwords.h"
#include "host/script/watchdog.h"

namespace host::app {
namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "host: %s\n", error.to_string().c_str());
  return kCannotRun;
}

/// "owls", where "owls.lua" would be a file.
bool is_name(const std::string& word) {
  static constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !word.empty() && word.size() <= 40 && word.front() >= 'a' && word.front() <= 'z' &&
         word.find_first_not_of(kLetters) == std::string::npos;
}

/// The names of the plugins that a call means; an exit code when a file has none.
std::variant<std::vector<std::string>, int> plugins_of(const Options& options) {
  std::vector<std::string> names;
  Options files = options;
  files.files.clear();
  for (const std::string& word : options.files) {
    (is_name(word) ? names : files.files).push_back(word);
  }
  const auto logger = telemetry::make_logger({.level = ports::LogLevel::error});
  telemetry::PrometheusMetrics metrics;
  const script::Watchdog watchdog({}, *logger);
  for (const Options& part : parts_of(files)) {
    const std::variant<RunSettings, Exit> made = make_run_settings(part);
    if (const Exit* exit = std::get_if<Exit>(&made)) {
      std::fputs(exit->text.c_str(), stderr);
      return exit->code;
    }
    const RunSettings& settings = std::get<RunSettings>(made);
    Scripts scripts(settings, check_loader(settings.memory, *logger, metrics));
    for (const Deployment::Plugin& plugin : settings.plugins) {
      const runtime::Loaded loaded = scripts.load(plugin.file);
      for (const Problem& problem : loaded.problems) {
        std::fprintf(stderr, "%s\n", problem.to_string().c_str());
      }
      if (!loaded.revision) return kFindings;
      names.push_back(loaded.revision->manifest().name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<std::vector<std::string>> init(const postgres::Conninfo& where,
                                      const postgres::Roles& roles) {
  try {
    postgres::Connection admin(where, postgres::Limits{});
    return postgres::init_roles(admin, roles);
  } catch (const postgres::Failure& failure) {
    return postgres::to_error(failure, "host db init");
  }
}

}  // namespace

int db_init_command(const Options& options) {
  const auto plugins = plugins_of(options);
  if (const int* code = std::get_if<int>(&plugins)) return *code;
  const Result<postgres::Conninfo> where = postgres::Conninfo::parse(*options.store);
  if (!where) {
    if (where.error().code != Error::Code::invalid) return complain(where.error());
    std::fprintf(stderr, "host: %s\n", where.error().to_string().c_str());
    return kUsage;
  }
  const RolePasswords passwords(options.passwords, options.password_variables);
  const postgres::Roles roles{
      .host = options.role,
      .plugins = std::get<std::vector<std::string>>(plugins),
      .password = [&passwords](const std::string& role) { return passwords.of(role); }};
  const Result<std::string> password = passwords.of_url(*where);
  if (!password) return complain(password.error());
  const Result<std::vector<std::string>> done =
      init(password->empty() ? *where : where->with("password", *password), roles);
  if (!done) return complain(done.error());
  for (const std::string& line : *done) std::puts(line.c_str());
  return kFine;
}

}  // namespace host::app
