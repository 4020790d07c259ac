#include "host/script/plugin_table.h"

#include <algorithm>

namespace host::script {

const PluginTable::Policy::Choice* PluginTable::Policy::find(std::string_view wanted) const {
  for (const Choice& choice : choices) {
    const std::size_t dot = choice.module.rfind('.');
    const std::string_view last =
        dot == std::string::npos ? choice.module : std::string_view(choice.module).substr(dot + 1);
    if (wanted == choice.module || wanted == last) return &choice;
  }
  return nullptr;
}

const PluginTable::Emit* PluginTable::find_emit(std::string_view topic) const {
  const Emit* best = nullptr;
  for (const Emit& emit : emits) {
    if (emit.topic == topic) return &emit;
    if (!emit.topic.ends_with("*")) continue;
    const std::string_view prefix = std::string_view(emit.topic).substr(0, emit.topic.size() - 1);
    if (topic.starts_with(prefix) && (!best || emit.topic.size() > best->topic.size())) {
      best = &emit;
    }
  }
  return best;
}

const PluginTable::Policy* PluginTable::find_policy(std::string_view name) const {
  const auto found = std::find_if(policies.begin(), policies.end(),
                                  [&](const Policy& policy) { return policy.name == name; });
  return found == policies.end() ? nullptr : &*found;
}

std::size_t PluginTable::timer_index(std::string_view name) const {
  const auto& all = manifest.timers;
  return static_cast<std::size_t>(
      std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.name == name; }) -
      all.begin());
}

std::size_t PluginTable::every_index(std::string_view name) const {
  const auto& all = manifest.every;
  return static_cast<std::size_t>(
      std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.name == name; }) -
      all.begin());
}

}  // namespace host::script
