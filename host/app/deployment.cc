#include "host/app/deployment.h"

#include <nlohmann/json.hpp>

#include "host/app/options.h"
#include "host/app/servers.h"
#include "host/app/table_reader.h"
#include "host/script/data_file.h"

namespace host::app {
namespace {

using nlohmann::json;

using Path = TableReader::Path;

/// One pass over the table that the file returned.
class Reader : public TableReader {
 public:
  using TableReader::TableReader;

  DeploymentResult read(const json& table) {
    for (const auto& [name, value] : table.items()) field({name}, value);
    DeploymentResult out{.deployment = std::move(deployment_), .problems = take_problems()};
    if (out.deployment.plugins.empty() && out.problems.empty()) {
      problem({"plugins"}, "no plugins are named", "plugins = { [\"plugins/NAME.lua\"] = {} }");
      out.problems = take_problems();
    }
    return out;
  }

 private:
  void field(const Path& at, const json& value) {
    const std::string& name = at.back();
    if (name == "listen") {
      deployment_.listen = text_of(at, value);
    } else if (name == "admin") {
      deployment_.admin = text_of(at, value);
    } else if (name == "prefix") {
      deployment_.prefix = text_of(at, value);
    } else if (name == "log" || name == "store") {
      url(at, value, name == "log" ? deployment_.log : deployment_.store);
    } else if (name == "partitions") {
      const bool good = value.is_number_integer() && value >= 1 && value <= 1024;
      if (good) deployment_.partitions = value.get<PartitionNumber>();
      if (!good) problem(at, "partitions must be a whole number from 1 to 1024");
    } else if (name == "topics") {
      topics(at, value);
    } else if (name == "plugins") {
      plugins(at, value);
    } else if (name == "auth") {
      deployment_.auth = read_auth(*this, at, value);
    } else if (name == "trusted_proxies") {
      read_trusted_proxies(*this, at, value, deployment_.listeners);
    } else if (name == "cors") {
      read_cors(*this, at, value, deployment_.listeners);
    } else if (name == "tls") {
      deployment_.listeners.tls = read_tls(*this, at, value);
    } else if (name == "admin_tls") {
      deployment_.listeners.admin_tls = read_tls(*this, at, value);
    } else if (name == "llm" || name == "egress") {
      problem(at, name + ": not in this version", "leave the field out");
    } else {
      unknown(at, "",
              {"listen", "admin", "auth", "tls", "admin_tls", "cors", "trusted_proxies", "log",
               "store", "prefix", "partitions", "topics", "plugins", "llm", "egress"});
    }
  }

  void url(const Path& at, const json& value, std::optional<std::string>& out) {
    const std::optional<std::string> text = text_of(at, value);
    if (!text) return;
    const bool seen = !text->starts_with("env:") && !text->starts_with("file:");
    out = resolved(at, *text);
    if (!out) return;
    const std::string why = at.back() == "log" ? log_url_problem("log", *out, seen)
                                               : store_url_problem("store", *out, seen);
    if (!why.empty()) problem(at, why);
  }

  void topics(const Path& at, const json& value) {
    if (!is_table(at, value, "topics = { [\"owl-post\"] = { keep = \"7d\" } }")) return;
    for (const auto& [topic, settings] : value.items()) {
      const Path here{at.front(), topic};
      if (!is_table(here, settings, "{ keep = \"7d\", max_bytes = 1000000 }")) continue;
      Retention& retention = deployment_.topics[topic];
      for (const auto& [name, what] : settings.items()) {
        const Path inner{at.front(), topic, name};
        if (name == "keep") {
          keep(inner, what, retention);
        } else if (name == "max_bytes") {
          const bool good = what.is_number_integer() && what > 0;
          if (good) retention.max_bytes = what.get<std::uint64_t>();
          if (!good) problem(inner, "max_bytes must be a whole number above 0");
        } else {
          unknown(inner, " of topic " + topic, {"keep", "max_bytes"});
        }
      }
    }
  }

  void keep(const Path& at, const json& value, Retention& retention) {
    if (value == "forever") {
      retention.keep = kForever;
      return;
    }
    Result<Duration> parsed = value.is_string()
                                  ? parse_duration(value.get<std::string>())
                                  : parse_duration(value.is_number() ? value.dump() : "");
    if (parsed && *parsed > Duration::zero()) {
      retention.keep = *parsed;
    } else {
      problem(at, "keep must be a duration or \"forever\"", "such as \"7d\"");
    }
  }

  void plugins(const Path& at, const json& value) {
    if (!is_table(at, value, "plugins = { [\"plugins/NAME.lua\"] = {} }")) return;
    for (const auto& [file, settings] : value.items()) {
      if (!is_table({at.front(), file}, settings, "{ config = {}, policies = {} }")) continue;
      Deployment::Plugin plugin{.file = file, .config = {}, .policies = {}, .policy_config = {}};
      for (const auto& [name, what] : settings.items()) {
        const Path here{at.front(), file, name};
        if (name == "config") {
          plugin.config = config(here, what);
        } else if (name == "policies") {
          policies(here, what, plugin);
        } else {
          unknown(here, " of " + file, {"config", "policies"});
        }
      }
      deployment_.plugins.push_back(std::move(plugin));
    }
  }

  void policies(const Path& at, const json& value, Deployment::Plugin& plugin) {
    if (!is_table(at, value, "policies = { NAME = \"MODULE\" }")) return;
    for (const auto& [name, what] : value.items()) {
      Path here = at;
      here.push_back(name);
      if (what.is_string()) {
        plugin.policies[name] = what.get<std::string>();
      } else if (is_table(here, what, "NAME = \"MODULE\", or { use = \"MODULE\", config = {} }")) {
        policy(here, what, plugin);
      }
    }
  }

  void policy(const Path& at, const json& value, Deployment::Plugin& plugin) {
    for (const auto& [part, what] : value.items()) {
      Path here = at;
      here.push_back(part);
      if (part == "use") {
        if (auto module = text_of(here, what)) plugin.policies[at.back()] = *module;
      } else if (part == "config") {
        plugin.policy_config[at.back()] = config(here, what);
      } else {
        unknown(here, " of policy " + at.back(), {"use", "config"});
      }
    }
  }

  std::map<std::string, script::Setting> config(const Path& at, const json& value) {
    std::map<std::string, script::Setting> out;
    if (!is_table(at, value, "config = { FIELD = VALUE }")) return out;
    for (const auto& [name, what] : value.items()) {
      script::Setting& setting = out[name];
      setting.text = what.dump(-1, ' ', false, json::error_handler_t::replace);
      setting.is_json = true;
      if (!what.is_string()) continue;
      // A text is read by the field's schema, as with --set: money, times and durations are texts
      // in Lua. So is what "env:NAME" and "file:PATH" stand for.
      std::optional<std::string> text = resolved(at + name, what.get<std::string>());
      if (text) setting = {.text = std::move(*text), .is_json = false, .from_command_line = false};
    }
    return out;
  }

  Deployment deployment_;
};

}  // namespace

DeploymentResult read_deployment(const std::string& file, const std::string& text,
                                 const std::string& root) {
  Result<json> table = script::load_data(file, text);
  if (table) return Reader(file, text, root).read(*table);
  return {.deployment = {}, .problems = {problem_of(file, table.error())}};
}

}  // namespace host::app
