#include "host/script/manifest_pattern.h"

#include <algorithm>
#include <cctype>

namespace host::script {

RoutePattern read_pattern(std::string_view pattern) {
  RoutePattern out;
  if (!pattern.starts_with("/")) out.problem = "its path does not begin with /";
  std::size_t at = 0;
  while (at < pattern.size() && out.problem.empty()) {
    const std::size_t end = std::min(pattern.find('/', at + 1), pattern.size());
    const std::string segment(pattern.substr(at + 1, end - at - 1));
    at = end;
    if (segment == "*") {
      if (end != pattern.size()) out.problem = "its * is not the last segment";
      out.params.push_back("*");
      out.shape += "/*";
    } else if (segment.starts_with(":")) {
      const std::string name = segment.substr(1);
      const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '_';
      });
      if (!good) out.problem = "\"" + segment + "\" is no parameter: write :id";
      if (std::find(out.params.begin(), out.params.end(), name) != out.params.end()) {
        out.problem = "it has the parameter \"" + name + "\" twice";
      }
      out.params.push_back(name);
      out.shape += "/:";
    } else {
      if (segment.find_first_of("*: ?#") != std::string::npos) {
        out.problem = "\"" + segment + "\" is no segment: words, :param, or a * at the end";
      }
      out.shape += "/" + segment;
    }
  }
  return out;
}

}  // namespace host::script
