#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"

namespace host::web {

/// A request target taken apart and decoded.
struct Target {
  std::string path;  // decoded, begins with "/"
  std::vector<std::pair<std::string, std::string>> query;
  std::string authority;  // of an absolute target ("http://a/b"), else empty
};

/// Takes origin form ("/a?b=c") and absolute form ("http://h/a"). Nothing is normalised: a path
/// that reads differently to two parsers is refused instead. Errors (invalid, the message is for
/// the client): broken percent-encoding, NUL, invalid UTF-8, an encoded slash or a backslash in the
/// path, a "." or ".." segment, encoded or not, a fragment. Empty segments stay. In the query "+"
/// is a space and a name without "=" has the value "".
Result<Target> parse_target(std::string_view target);

}  // namespace host::web
