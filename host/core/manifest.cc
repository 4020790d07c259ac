#include "host/core/manifest.h"

#include <algorithm>
#include <cmath>

namespace host {

Duration RetryRule::delay(int next, double chance) const {
  const double steps = std::min(next - 2, 60);
  const double ceiling = std::min(static_cast<double>(backoff_min.count()) * std::exp2(steps),
                                  static_cast<double>(backoff_max.count()));
  return Duration{static_cast<std::int64_t>(ceiling * chance)};
}

std::string Problem::to_string() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line);
  if (!out.empty()) out += ": ";
  out += message;
  if (!hint.empty()) out += " (" + hint + ")";
  return out;
}

const Manifest::Subscription* Manifest::find_subscription(std::string_view topic) const {
  const auto found = std::find_if(on.begin(), on.end(),
                                  [&](const Subscription& entry) { return entry.topic == topic; });
  return found == on.end() ? nullptr : &*found;
}

const char* to_string(Manifest::Metric::Kind kind) {
  switch (kind) {
    case Manifest::Metric::Kind::counter:
      return "counter";
    case Manifest::Metric::Kind::gauge:
      return "gauge";
    case Manifest::Metric::Kind::histogram:
      return "histogram";
  }
  return "";
}

}  // namespace host
