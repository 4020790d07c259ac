#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "host/adapters/postgres/conninfo.h"
#include "host/adapters/postgres/errors.h"

namespace soci {
class session;
}

namespace host::postgres {

/// One SOCI session. SOCI owns connecting; native() is the same connection, because SOCI cuts
/// values at a NUL, changes types, sends one row at a time and waits without a deadline. Not
/// thread-safe: one thread at a time.
class Session {
 public:
  /// Blocks, at most as long as its connect_timeout. Throws Failure, with the server's SQLSTATE
  /// when it refused.
  explicit Session(const Conninfo& where);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  PGconn* native() const { return native_; }

  /// Statements without parameters; they block as long as statement_timeout lets them. Throw
  /// Failure.
  void run(const std::string& sql);
  long long number(const std::string& sql);

 private:
  std::unique_ptr<soci::session> soci_;
  PGconn* native_ = nullptr;
};

}  // namespace host::postgres
