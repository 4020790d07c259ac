#include "host/app/scripts.h"

#include <filesystem>

namespace host::app {

Scripts::Scripts(const RunSettings& settings, Load load)
    : settings_(settings), load_(std::move(load)) {}

runtime::Loaded Scripts::load(const std::string& file) {
  // The name is usually that of the file. When it is not, a second load has the right settings;
  // and one that fails may only lack the settings of its real name.
  const std::string guess = name_of(file);
  runtime::Loaded loaded = load_(request(file, guess));
  std::set<std::string> others;
  for (const Assignment& set : settings_.sets) others.insert(set.plugin);
  others.erase(guess);
  if (loaded.revision) {
    const std::string name = loaded.revision->manifest().name;
    if (name != guess && others.contains(name)) loaded = load_(request(file, name));
  } else {
    for (const std::string& name : others) {
      runtime::Loaded other = load_(request(file, name));
      if (!other.revision || other.revision->manifest().name != name) continue;
      loaded = std::move(other);
      break;
    }
  }
  if (loaded.revision) {
    names_[file] = loaded.revision->manifest().name;
    loaded_.insert(loaded.revision->manifest().name);
  }
  return loaded;
}

std::string Scripts::name_of(const std::string& file) const {
  const auto known = names_.find(file);
  return known != names_.end() ? known->second : std::filesystem::path(file).stem().string();
}

script::LoadRequest Scripts::request(const std::string& file) const {
  return request(file, name_of(file));
}

script::LoadRequest Scripts::request(const std::string& file, const std::string& plugin) const {
  script::LoadRequest request{.file = file,
                              .root = settings_.root.string(),
                              .config = {},
                              .policies = {},
                              .policy_config = {},
                              .without_settings = false,
                              .files = {}};
  for (const Deployment::Plugin& entry : settings_.plugins) {
    if (entry.file != file) continue;
    request.config = entry.config;
    request.policies = entry.policies;
    request.policy_config = entry.policy_config;
  }
  for (const Assignment& set : settings_.sets) {
    if (set.plugin != plugin) continue;
    const script::Setting setting{
        .text = set.value, .is_json = false, .from_command_line = set.from_command_line};
    const std::vector<std::string>& path = set.path;
    if (path.size() == 2 && path[0] == "policies") {
      request.policies[path[1]] = set.value;
    } else if (path.size() == 3 && path[0] == "policies") {
      request.policy_config[path[1]][path[2]] = setting;
    } else {
      std::string field = path[0];
      for (std::size_t i = 1; i < path.size(); ++i) field += "." + path[i];
      request.config[field] = setting;
    }
  }
  return request;
}

std::vector<std::string> Scripts::unused() const {
  std::vector<std::string> out;
  const std::vector<std::string> names(loaded_.begin(), loaded_.end());
  for (const Assignment& set : settings_.sets) {
    if (loaded_.contains(set.plugin)) continue;
    const std::string meant = nearest(set.plugin, names);
    out.push_back("the setting " + set.to_string() + " is for a plugin \"" + set.plugin +
                  "\", which does not run here" +
                  (meant.empty() ? "" : "; did you mean \"" + meant + "\"?"));
  }
  return out;
}

}  // namespace host::app
