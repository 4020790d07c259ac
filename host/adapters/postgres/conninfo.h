#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"

namespace host::postgres {

/// How long the server, and the way to it, may take.
struct Limits {
  Duration connect = std::chrono::seconds(5);
  Duration statement = std::chrono::seconds(10);  // statement_timeout
  Duration lock = std::chrono::seconds(5);        // lock_timeout
  /// The same for a claim: who holds the shard's row longer is dead, stopped in the middle of a
  /// commit.
  Duration claim_lock = std::chrono::seconds(1);
  Duration idle_in_transaction = std::chrono::seconds(10);
  Duration answer = std::chrono::seconds(15);  // of any round trip; then the connection is cut
};

/// Where a connection goes, as whom and with which settings. The password is in no text that
/// describe() or an Error gives.
class Conninfo {
 public:
  /// `url`: a URL ("postgresql://user@db.example/hogwarts?sslmode=verify-full") or "name=value ..."
  /// as libpq reads it; the environment (PGPASSWORD, PGSSLROOTCERT, ...) fills in what is missing.
  /// Errors: invalid (the text cannot be read; it is not repeated, because it may hold a password),
  /// unavailable (libpq is not installed).
  static Result<Conninfo> parse(const std::string& url);

  /// Wins over what the URL says.
  Conninfo with(const std::string& name, const std::string& value) const;
  /// With our timeouts and keepalives where the URL has none, and `schema` (may be empty) as the
  /// only one that unqualified names are looked for in.
  Conninfo prepared(const Limits& limits, const std::string& schema) const;

  /// As the URL says it; "": it says none.
  std::string user() const { return value("user"); }
  bool has_password() const { return !value("password").empty(); }
  /// A URL for libpq with everything in it, the password too.
  std::string text() const;
  /// "tester at 127.0.0.1:5432, database hogwarts": for people.
  std::string describe() const;

 private:
  std::string value(const std::string& name) const;
  void set(const std::string& name, const std::string& value);
  void set_missing(const std::string& name, const std::string& value);

  std::vector<std::pair<std::string, std::string>> values_;
};

/// A password, asked for whenever a connection is made, because it may change while a process runs;
/// "": what URL and environment say. Errors: it cannot be read. Called on any thread.
using PasswordSource = std::function<Result<std::string>()>;
/// Where a new connection goes. Called as a PasswordSource is, with its errors.
using Destination = std::function<Result<Conninfo>()>;

/// The login role of a plugin, which `host db init` makes.
struct Login {
  std::string user;
  std::string password;
};
/// That of a plugin; nothing: it has none. Called as a PasswordSource is, with its errors.
using LoginSource = std::function<Result<std::optional<Login>>(const std::string& plugin)>;

/// `where` with the password of that moment. `password` may be null: as `where` says.
Destination destination(Conninfo where, PasswordSource password);
/// As the role of `plugin`, or the `own` one where it has none, which is asked now; `login` may be
/// null. Never as the host's role later, which may do more: a password that is gone is an error.
Destination destination_of(const std::string& plugin, Conninfo where, LoginSource login,
                           Destination own);

}  // namespace host::postgres
