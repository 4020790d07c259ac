#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"
#include "host/core/manifest.h"

namespace host::runtime {

/// The routes of all plugins of a process. Literal segments win over ":param" over a last "*";
/// an exact method wins over "*", and HEAD is answered by GET. Immutable, thread-safe.
class Routes {
 public:
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  /// Error: invalid when two routes are equal (both are named, with their plugins).
  static Result<std::shared_ptr<const Routes>> make(const std::vector<const Manifest*>& plugins);

  struct Match {
    std::string plugin;     // empty: nothing matches
    std::size_t route = 0;  // index into its manifest's routes
    std::string name;       // "GET /walls/:id"
    Parameters parameters;  // the rest that "*" stands for has the name "*"
    std::size_t max_body = 0;
    std::string allow;  // methods that the path has; empty: the path is unknown
  };
  Match match(std::string_view method, std::string_view path) const;

 private:
  struct Entry {
    std::string plugin;
    std::size_t index;
    std::string method;
    std::vector<std::string> segments;
    std::string name;
    std::size_t max_body;
  };
  std::vector<Entry> entries_;  // the more specific ones first
};

}  // namespace host::runtime
