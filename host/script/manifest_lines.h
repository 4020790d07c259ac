#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace host::script {

/// Finds the line on which a field of a plugin's table is written. Lua keeps no lines of tables, so
/// this reads the sources: a table constructor that has the path, the returned one first, then any,
/// then one that has the end of the path (`routes["GET /x"] = { ... }` in a local). Answers only
/// serve messages; where nothing is found they name the nearest enclosing field.
/// Only on its thread.
class SourceLines {
 public:
  using Path = std::vector<std::string>;
  struct Place {
    std::string file;
    int line = 0;
  };

  /// Borrows the files (path, text), which must outlive it.
  explicit SourceLines(const std::vector<std::pair<std::string, std::string>>& files);
  ~SourceLines();

  /// `path` {"routes", "GET /x", "auth"}; an empty one is the returned table.
  Place find(const Path& path) const;
  Place find_in(std::string_view file, const Path& path) const;

  struct Node;

 private:
  struct File;
  const File& parsed(std::size_t index) const;

  const std::vector<std::pair<std::string, std::string>>& files_;
  mutable std::map<std::size_t, std::unique_ptr<File>> parsed_;
};

}  // namespace host::script
