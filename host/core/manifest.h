#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"

namespace host {

/// When a handler raised: so often, with this exponential backoff (full jitter), and then?
struct RetryRule {
  enum class Last { dead, stop };

  int attempts = 5;  // the first run included
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::seconds(30);
  Last last = Last::dead;

  /// The delay before attempt `next` (2-based), for a `chance` in [0, 1).
  Duration delay(int next, double chance) const;
};

/// One finding of `host check`, or of a reload that was refused.
struct Problem {
  std::string file;
  int line = 0;    // 1-based; 0: unknown
  int column = 0;  // 1-based; 0: unknown
  std::string message;
  std::string hint;

  std::string to_string() const;  // "file:line: message (hint)"
};
using Problems = std::vector<Problem>;

/// What a plugin declares, as the runtime needs it: names and rules, no Lua. Immutable.
struct Manifest {
  struct Once {
    std::string field;
    Duration within{};
  };
  struct Subscription {
    std::string topic;
    std::string key_field;  // empty: the record's key
    std::optional<Once> once;
    RetryRule retry;
    bool from_now = false;  // where it begins in a topic that is new to it
    std::string file = {};  // of its handler: the place of errors that come before it runs
    int line = 0;
  };
  struct Timer {
    std::string name;
    RetryRule retry;
  };
  struct Every {
    std::string name;
    Duration period{};
    bool per_shard = false;
    RetryRule retry;
  };
  struct Stream {
    std::string topic;      // empty: `every` runs the handler again and again
    std::string key_param;  // only records of this path parameter's value; empty: all
    Duration every{};
    bool has_map = false;
  };
  struct Files {
    std::string folder;    // from the working directory
    std::string fallback;  // a file in it, for pages that are not there; empty: 404
  };
  struct Cache {
    Duration max_age{};   // 0: kept, but asked for anew each time
    bool shared = false;  // others than the client may keep it
  };
  /// A token bucket a user or address: `burst` requests at once, then `rate` in each `per`.
  struct Limit {
    std::int64_t rate = 1;
    Duration per = std::chrono::seconds(1);
    std::int64_t burst = 1;
    bool by_user = true;  // of whom a token names; all others by address

    /// What one request costs, and what a full bucket holds, in time.
    std::chrono::nanoseconds interval() const { return std::chrono::nanoseconds(per) / rate; }
    std::chrono::nanoseconds span() const { return interval() * burst; }
  };
  struct Route {
    std::string method;   // "*": any
    std::string pattern;  // "/walls/:id", may end in "/*"
    bool auth_none = false;
    std::vector<std::string> roles;
    std::string own_param;                 // the token's subject must be this parameter
    std::vector<std::string> media_types;  // accepted bodies; empty: takes no body
    std::size_t max_body = 1'000'000;      // bytes
    Duration timeout = std::chrono::seconds(30);
    std::optional<Stream> stream;
    std::optional<Files> files;
    std::optional<Cache> cache;
    std::optional<Limit> limit;
    std::string doc;
    std::string operation = {};  // the OpenAPI 3.1 operation object, as JSON

    std::string name() const { return method + " " + pattern; }
  };
  struct Metric {
    enum class Kind { counter, gauge, histogram };
    std::string name;  // without the plugin's prefix
    Kind kind = Kind::counter;
    std::string help;
    std::vector<std::string> labels;
  };

  std::string name;
  std::string doc;
  std::string file;      // as given on the command line
  std::string revision;  // content hash of the script and all that it requires, 12 hex digits
  int state_version = 1;
  bool has_state = false;
  bool rebuild = false;
  std::vector<std::string> uses;
  std::vector<std::string> emits;  // topics, "*" allowed as the last character
  std::vector<Subscription> on;
  std::vector<Timer> timers;
  std::vector<Every> every;
  std::vector<Route> routes;
  std::vector<std::string> tables;  // migrations, in order
  std::vector<Metric> metrics;
  std::vector<std::string> sources;  // files that make the revision; watched for changes

  std::string inbox() const { return name + ".inbox"; }
  const Subscription* find_subscription(std::string_view topic) const;
};

/// "counter", "gauge", "histogram".
const char* to_string(Manifest::Metric::Kind kind);

}  // namespace host
