#include "host/app/topics.h"

#include <set>

namespace host::app {

std::vector<ports::TopicSettings> topics_of(const Manifest& manifest, const RunSettings& settings) {
  std::set<std::string> names{manifest.inbox()};
  for (const Manifest::Subscription& subscription : manifest.on) names.insert(subscription.topic);
  for (const std::string& emit : manifest.emits) {
    if (!emit.ends_with('*')) names.insert(emit);
  }
  for (const Manifest::Route& route : manifest.routes) {
    if (route.stream && !route.stream->topic.empty()) names.insert(route.stream->topic);
  }
  std::vector<ports::TopicSettings> out;
  for (const std::string& name : names) {
    const auto found = settings.topics.find(name);
    const Retention retention = found == settings.topics.end() ? Retention{} : found->second;
    out.push_back({.name = settings.prefix + name,
                   .partitions = settings.partitions,
                   .keep = retention.keep,
                   .max_bytes = retention.max_bytes,
                   .only_new = found == settings.topics.end()});
  }
  return out;
}

bool demands_roles(const Manifest& manifest) {
  for (const Manifest::Route& route : manifest.routes) {
    if (!route.auth_none) return true;
  }
  return false;
}

Result<void> check_roles(const Manifest& manifest, const RunSettings& settings) {
  if (settings.auth || is_loopback(settings.listen)) return {};
  for (const Manifest::Route& route : manifest.routes) {
    if (route.auth_none) continue;
    Error error = make_error(
        Error::Code::invalid,
        "the route " + route.name() + " of " + manifest.name + " demands a role, and " +
            settings.listen + " can be reached from other machines",
        "say whose tokens are good (`auth` in the deployment file, or --auth FILE), listen on "
        "127.0.0.1, or give the route auth = \"none\"");
    error.file = manifest.file;
    return error;
  }
  return {};
}

}  // namespace host::app
