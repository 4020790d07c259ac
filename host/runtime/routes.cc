#include "host/runtime/routes.h"

#include <algorithm>
#include <optional>

namespace host::runtime {
namespace {

/// Borrowed from `path`.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  segments.reserve(8);
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    segments.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return segments;
}

/// 2: literal, 1: parameter, 0: the rest.
int weight(const std::string& segment) {
  return segment == "*" ? 0 : segment.starts_with(':') ? 1 : 2;
}

/// The shape without the names of parameters: what makes two routes equal.
std::string shape(const std::vector<std::string>& segments) {
  std::string out;
  for (const std::string& segment : segments) {
    out += "/" + (weight(segment) == 1 ? std::string(":") : segment);
  }
  return out;
}

std::optional<Routes::Parameters> bind(const std::vector<std::string>& pattern,
                                       const std::vector<std::string_view>& path) {
  Routes::Parameters parameters;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "*") {
      std::string rest;
      for (std::size_t j = i; j < path.size(); ++j) {
        if (j > i) rest += '/';
        rest += path[j];
      }
      parameters.emplace_back("*", std::move(rest));
      return parameters;
    }
    if (i >= path.size()) return std::nullopt;
    if (weight(pattern[i]) == 1) {
      if (path[i].empty()) return std::nullopt;
      parameters.emplace_back(pattern[i].substr(1), path[i]);
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  if (path.size() != pattern.size()) return std::nullopt;
  return parameters;
}

}  // namespace

Result<std::shared_ptr<const Routes>> Routes::make(const std::vector<const Manifest*>& plugins) {
  auto routes = std::make_shared<Routes>();
  for (const Manifest* plugin : plugins) {
    for (std::size_t i = 0; i < plugin->routes.size(); ++i) {
      const Manifest::Route& route = plugin->routes[i];
      const std::vector<std::string_view> segments = split(route.pattern);
      routes->entries_.push_back({plugin->name,
                                  i,
                                  route.method,
                                  {segments.begin(), segments.end()},
                                  route.name(),
                                  route.max_body});
    }
  }
  std::vector<Entry>& entries = routes->entries_;
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const std::size_t both = std::min(a.segments.size(), b.segments.size());
    for (std::size_t i = 0; i < both; ++i) {
      const int wa = weight(a.segments[i]), wb = weight(b.segments[i]);
      if (wa != wb) return wa > wb;
    }
    if (a.segments.size() != b.segments.size()) return a.segments.size() > b.segments.size();
    return (a.method != "*") > (b.method != "*");
  });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (std::size_t j = i + 1; j < entries.size(); ++j) {
      if (entries[i].method == entries[j].method &&
          shape(entries[i].segments) == shape(entries[j].segments)) {
        return make_error(Error::Code::invalid,
                          "two routes are equal: " + entries[i].name + " of " + entries[i].plugin +
                              " and " + entries[j].name + " of " + entries[j].plugin,
                          "rename one of them, or run the plugins in two processes");
      }
    }
  }
  return std::shared_ptr<const Routes>(std::move(routes));
}

Routes::Match Routes::match(std::string_view method, std::string_view path) const {
  const std::vector<std::string_view> segments = split(path);
  Match found;
  for (const Entry& entry : entries_) {
    std::optional<Parameters> parameters = bind(entry.segments, segments);
    if (!parameters) continue;
    const bool fits = entry.method == method || entry.method == "*" ||
                      (method == "HEAD" && entry.method == "GET");
    if (fits) {
      return {entry.plugin, entry.index, entry.name, std::move(*parameters), entry.max_body, {}};
    }
    if (found.allow.find(entry.method) == std::string::npos) {
      found.allow += (found.allow.empty() ? "" : ", ") + entry.method;
    }
  }
  return found;
}

}  // namespace host::runtime
