#include "host/app/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <set>

#include "host/app/option_values.h"
#include "host/app/servers.h"

namespace host::app {
namespace {

constexpr const char* kIntro =
    "Runs services written as Lua scripts, with durable state, messages and timers.\n"
    "\n"
    "  host --plugin FILE...        run plugins together in one process\n"
    "  host run DEPLOYMENT          run what a deployment file names, with its settings\n"
    "  host check [--json] FILE...  every problem of plugins at once, with file and line\n"
    "  host test FILE...            smoke cases of plugins, and test files, on virtual time\n"
    "  host db init PLUGIN...       roles and schemas of plugins in PostgreSQL\n";

constexpr const char* kFooter =
    "Each option is also a variable (--stop-timeout: HOST_STOP_TIMEOUT; --set a.b=v: "
    "HOST_SET__a__b=v);\n"
    "options win over variables, and both over the deployment file.\n"
    "Exit codes: 0 fine, 1 findings in scripts, 2 wrong call, 3 cannot run with what it found.";

struct Refused {
  const char* name;
  const char* instead;
};
constexpr Refused kNotInThisVersion[] = {
    {"new", "write the file by hand; the README has one to start from"},
    {"types", "docs/plugin-api.md has every name that a script can use"},
    {"tap", "a route with `stream = { topic = ... }` shows a topic as server-sent events"},
    {"trace", "log lines carry key, message id and correlation id"},
    {"dead", "GET /admin/dead on the admin listener lists them"},
    {"replay", "host test runs cases on virtual time"},
    {"rebuild", "start with another --data folder"},
    {"forget", "start with another --data folder"},
    {"reload", "save the file, send SIGHUP, or POST /admin/plugins/NAME/reload"},
    {"rollback", "POST /admin/plugins/NAME/rollback on the admin listener"},
};

/// Options as texts, by the name of their option; what each means is read afterwards.
struct Texts {
  std::map<std::string, std::string> values;
  std::vector<std::string> plugins, sets, files;
  std::string deployment, role;
  bool json = false;
};

struct Known {
  const char* name;
  const char* value;
  const char* help;
};
constexpr Known kKnown[] = {
    {"data", "DIR", "folder of log and store (./data)"},
    {"listen", "ADDRESS", "where routes are served (127.0.0.1:8080)"},
    {"admin", "ADDRESS", "metrics and admin API, or none (127.0.0.1:8081)"},
    {"auth", "FILE", "whose tokens are good; a Lua file that returns the table"},
    {"tls-cert", "FILE", "TLS for --listen: certificate and chain, PEM; renewed when it changes"},
    {"tls-key", "FILE", "and its key, PEM"},
    {"admin-tls-cert", "FILE", "the same for --admin"},
    {"admin-tls-key", "FILE", "the same for --admin"},
    {"root", "DIR", "has scripts/ (the nearest folder above the first file that has one)"},
    {"lanes", "N", "threads that run scripts (as many as the CPU quota allows)"},
    {"memory", "SIZE", "of each Lua state, one a plugin and lane (128MB)"},
    {"turn-limit", "TIME", "CPU time of a script between two waits (100ms)"},
    {"stop-timeout", "TIME", "for a stop in good order (10s)"},
    {"partitions", "N", "of every topic; stays as the first start says (16)"},
    {"prefix", "TEXT", "before the names of all topics"},
    {"on-gap", "stop|skip", "when messages were lost by retention (stop)"},
    {"log-level", "LEVEL", "debug, info, warn or error (info)"},
    {"log", "URL", "embedded, or kafka://BROKER:9092,BROKER:9092 (embedded)"},
    {"store", "URL", "embedded, or postgresql://USER@HOST/DATABASE (embedded)"},
    {"passwords", "DIR", "a folder with a file a role of PostgreSQL: its password"},
};

constexpr std::string_view kPasswordOf = "HOST_PASSWORD__";

std::string variable_of(std::string_view option) {
  std::string name = "HOST_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

void define(CLI::App& app, Texts& texts) {
  app.set_version_flag("--version", "host 0.1.0");
  app.require_subcommand(0, 1);
  app.footer(kFooter);
  app.add_option("--plugin", texts.plugins, "plugins to run; FILE...")->type_name("FILE");
  for (const Known& known : kKnown) {
    app.add_option(std::string("--") + known.name, texts.values[known.name], known.help)
        ->type_name(known.value);
  }
  app.add_option("--set", texts.sets, "a setting of a plugin, PLUGIN.FIELD=VALUE; may repeat")
      ->type_name("SETTING")
      ->expected(1)
      ->take_all();

  auto* run = app.add_subcommand("run", "run a deployment file")->fallthrough();
  run->add_option("deployment", texts.deployment, "a Lua file")->required();
  auto* check = app.add_subcommand("check", "find problems in plugins")->fallthrough();
  check->add_flag("--json", texts.json, "the problems as JSON");
  check->add_option("files", texts.files, "plugins")->required();
  auto* test = app.add_subcommand("test", "run smoke cases and test files")->fallthrough();
  test->add_option("files", texts.files, "plugins and test files")->required();
  auto* db = app.add_subcommand("db", "prepare a PostgreSQL database")->fallthrough();
  db->require_subcommand(1);
  auto* init =
      db->add_subcommand("init", "make a role and a schema for each plugin")->fallthrough();
  init->add_option("plugins", texts.files, "names of plugins, their files, or deployment files")
      ->required();
  init->add_option("--role", texts.role, "the host's own role, which owns the schemas (host)")
      ->type_name("NAME");
  for (const Refused& refused : kNotInThisVersion) {
    app.add_subcommand(refused.name, "not in this version")
        ->group("")
        ->prefix_command()
        ->allow_extras();
  }
}

Exit usage(const std::string& text) {
  return {kUsage, "host: " + text + "\n`host --help` names commands and options.\n"};
}

/// CLI11 says what is wrong; an option that is not known gets the one that was meant.
Exit wrong_call(const CLI::App& app, const CLI::ParseError& error,
                const std::vector<std::string>& arguments) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return usage(error.what());
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (name.rfind("--", 0) != 0 || std::find(names.begin(), names.end(), name) != names.end()) {
      continue;
    }
    if (name == "--json") return usage("--json belongs to `host check`");
    const std::string meant = nearest(name, names);
    return usage("there is no option " + name +
                 (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }
  const std::string word = app.remaining(true).empty() ? "" : app.remaining(true).front();
  const std::string meant = nearest(word, {"run", "check", "test", "db"});
  return usage("\"" + word + "\" is no command" +
               (meant.empty() ? "; a plugin is named by --plugin FILE"
                              : "; did you mean `host " + meant + "`?"));
}

std::optional<Exit> read_variables(const Environ& environ, Texts& texts, Options& options) {
  std::map<std::string, std::string> known;
  std::vector<std::string> names{"HOST_PLUGIN"};
  for (const Known& option : kKnown) {
    known[variable_of(option.name)] = option.name;
    names.push_back(variable_of(option.name));
  }
  for (const auto& [name, value] : environ) {
    if (name.rfind("HOST_", 0) != 0) continue;
    if (name.rfind("HOST_SET__", 0) == 0) {
      Result<Assignment> set = parse_set_variable(name, value);
      if (!set) return usage(set.error().to_string());
      options.sets.push_back(std::move(*set));
    } else if (name.rfind(kPasswordOf, 0) == 0) {
      options.password_variables[name.substr(kPasswordOf.size())] = value;
    } else if (name == "HOST_PLUGIN") {
      options.files = split_words(value);
    } else if (const auto found = known.find(name); found != known.end()) {
      std::string& text = texts.values[found->second];
      if (text.empty()) text = value;
    } else {
      const std::string meant = nearest(name, names);
      options.warnings.push_back("the variable " + name + " means nothing to the host" +
                                 (meant.empty() ? "" : "; did you mean " + meant + "?"));
    }
  }
  return std::nullopt;
}

/// Others see command lines, but not variables. `given`: what stood on the command line.
std::optional<Exit> check_urls(const std::map<std::string, std::string>& given,
                               const std::map<std::string, std::string>& values) {
  for (const auto& [name, problem] :
       {std::pair{"log", &log_url_problem}, {"store", &store_url_problem}}) {
    const std::string& text = values.at(name);
    const bool on_line = !given.at(name).empty();
    const std::string why =
        problem(on_line ? std::string("--") + name : variable_of(name), text, on_line);
    if (!why.empty()) return usage(why);
  }
  return std::nullopt;
}

std::optional<Exit> check_db_init(const Texts& texts, Options& options) {
  options.command = Options::Command::db_init;
  options.files = texts.files;
  if (!texts.role.empty()) options.role = texts.role;
  if (is_embedded(texts.values.at("store"))) {
    return usage("host db init needs --store postgresql://ADMINISTRATOR@HOST/DATABASE");
  }
  return std::nullopt;
}

std::optional<Exit> check_command(const CLI::App& app, const Texts& texts, Options& options) {
  for (const Refused& refused : kNotInThisVersion) {
    if (!app.got_subcommand(refused.name)) continue;
    return Exit{kUsage, std::string("host ") + refused.name + ": not in this version (" +
                            refused.instead + ")\n"};
  }
  options.json = texts.json;
  if (app.got_subcommand("run")) {
    options.deployment = texts.deployment;
    options.files.clear();  // HOST_PLUGIN is for who names no deployment
    if (!texts.plugins.empty())
      return usage("--plugin and `host run` exclude each other: name the plugin in " +
                   texts.deployment);
    return std::nullopt;
  }
  if (app.got_subcommand("check") || app.got_subcommand("test")) {
    options.command =
        app.got_subcommand("check") ? Options::Command::check : Options::Command::test;
    options.files = texts.files;
    return std::nullopt;
  }
  if (!texts.plugins.empty()) options.files = texts.plugins;
  if (options.files.empty()) return Exit{kUsage, app.help()};
  return std::nullopt;
}

}  // namespace

std::variant<Options, Exit> parse_options(const std::vector<std::string>& arguments,
                                          const Environ& environ) {
  CLI::App app(kIntro, "host");
  Texts texts;
  define(app, texts);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return Exit{kFine, app.help()};
  } catch (const CLI::CallForVersion&) {
    return Exit{kFine, app.version() + "\n"};
  } catch (const CLI::ParseError& error) {
    return wrong_call(app, error, arguments);
  }
  Options options;
  const std::map<std::string, std::string> given = texts.values;
  if (auto exit = read_variables(environ, texts, options)) return *exit;
  if (auto exit = check_urls(given, texts.values)) return *exit;
  for (const std::string& text : texts.sets) {
    Result<Assignment> set = parse_set(text);
    if (!set) return usage(set.error().to_string());
    options.sets.push_back(std::move(*set));
  }
  if (app.got_subcommand("db")) {
    if (auto exit = check_db_init(texts, options)) return *exit;
  } else if (auto exit = check_command(app, texts, options)) {
    return *exit;
  }
  options.passwords = texts.values.at("passwords");
  Result<void> read = read_values(texts.values, options);
  if (!read) return usage(read.error().to_string());
  return options;
}

}  // namespace host::app
