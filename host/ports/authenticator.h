#pragma once

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/core/http.h"
#include "host/core/user.h"

namespace host::ports {

/// Tells who sent a request, from what its head says. Never blocks. Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// The user whom the request's token names; nobody when it brings none, which is no error.
  /// Error: invalid (not one of ours, expired, ...); its message is for the client.
  virtual Result<User> user_of(const HttpRequest& request, Time now) const = 0;
};

}  // namespace host::ports
