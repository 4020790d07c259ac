#pragma once

#include <optional>

#include "host/core/http.h"
#include "host/ports/authenticator.h"

namespace host::app {

/// Who is let in to the admin listener. On loopback, who names a loopback host and comes from
/// no foreign page: so no web page in a browser of this machine reaches it. Beyond loopback, who
/// brings a token with the role `admin`, or `metrics` for GET /metrics; /healthz and /readyz are
/// open. Immutable, thread-safe.
class AdminGuard {
 public:
  /// `authenticator` null: the listener is on loopback. It outlives the guard.
  explicit AdminGuard(const ports::Authenticator* authenticator) : authenticator_(authenticator) {}

  /// The answer to a request that is not let in.
  std::optional<HttpResponse> refuse(const HttpRequest& request, Time now) const;

 private:
  const ports::Authenticator* authenticator_;
};

}  // namespace host::app
