#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace host::script {

/// A route's path: "/walls/:id/*".
struct RoutePattern {
  std::string problem;              // "": it is one
  std::vector<std::string> params;  // "*" for the rest
  std::string shape;                // parameters without their names: equal ones match the same
};
RoutePattern read_pattern(std::string_view pattern);
inline std::string route_shape(std::string_view pattern) { return read_pattern(pattern).shape; }

}  // namespace host::script
