#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"
#include "host/script/loader.h"

namespace host::script {

/// Where the text of a plugin and of its modules comes from, and what was read so far: the disk
/// for a new revision, the request's files for every other state of it.
/// Only on its thread.
class Sources {
 public:
  explicit Sources(const LoadRequest& request);

  struct Found {
    std::string path;
    std::string_view text;  // stays valid
  };
  Result<Found> read_plugin();
  /// "scenarios.x.y" and "policies.x.y" under ROOT/scripts, anything else beside the plugin.
  Result<Found> read_module(std::string_view name);
  /// The path of a module that was read; "" when it was not.
  std::string path_of(std::string_view module) const;

  /// Path and text, in the order of reading; the plugin first.
  std::vector<std::pair<std::string, std::string>> files() const;
  /// The first 12 hex digits of a SHA-256 over names and texts; independent of where they lie.
  std::string revision() const;

 private:
  struct File {
    std::string module;  // "" for the plugin
    std::string path;
    std::string text;
  };
  Result<Found> read(std::string module, std::string path);

  const LoadRequest& request_;
  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace host::script
