#include "host/app/call_parts.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "host/adapters/files/read_file.h"
#include "host/script/data_file.h"

namespace host::app {

bool is_deployment(const std::string& file) {
  const Result<std::string> text = files::read_file(file);
  if (!text) return false;  // said where it is read as a plugin
  const Result<nlohmann::json> table = script::load_data(file, *text);
  return table && table->is_object() && table->contains("plugins") && !table->contains("api");
}

std::vector<Options> parts_of(const Options& options) {
  Options plugins = options;
  plugins.files.clear();
  std::vector<Options> parts;
  for (const std::string& file : options.files) {
    if (!is_deployment(file)) {
      plugins.files.push_back(file);
      continue;
    }
    parts.push_back(options);
    parts.back().files.clear();
    parts.back().deployment = file;
  }
  if (!plugins.files.empty()) parts.insert(parts.begin(), std::move(plugins));
  return parts;
}

}  // namespace host::app
