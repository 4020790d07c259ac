#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/base/time.h"
#include "host/core/ids.h"
#include "host/ports/logger.h"

namespace host::app {

/// Exit codes of the process.
inline constexpr int kFine = 0;
inline constexpr int kFindings = 1;   // scripts have problems
inline constexpr int kUsage = 2;      // the call is wrong
inline constexpr int kCannotRun = 3;  // not with what it found: folder held, port taken, ...

/// CPU time of a script between two waits where --turn-limit says nothing.
inline constexpr Duration kTurnLimit = std::chrono::milliseconds(100);

/// "PLUGIN.FIELD=VALUE", from --set or HOST_SET__PLUGIN__FIELD.
struct Assignment {
  std::string plugin;
  std::vector<std::string> path;  // "fee", or "policies", "next_place"
  std::string value;
  bool from_command_line = false;

  std::string to_string() const;  // "tollgate.fee"
};

/// What the caller said, on the command line or by HOST_ variables; what he did not say is empty,
/// so that the deployment file can say it.
struct Options {
  enum class Command { run, check, test, db_init };

  Command command = Command::run;
  std::vector<std::string> files;         // plugins, or what to check, test or make roles for
  std::optional<std::string> deployment;  // of `host run`
  bool json = false;                      // of `host check`

  std::optional<std::string> data;
  std::optional<std::string> root;
  std::optional<std::string> listen;
  std::optional<std::string> admin;
  std::optional<std::string> auth;               // a file: secrets do not stand on command lines
  std::optional<std::string> tls_cert, tls_key;  // files
  std::optional<std::string> admin_tls_cert, admin_tls_key;  // of the admin listener
  std::optional<std::string> prefix;
  std::optional<PartitionNumber> partitions;
  std::optional<int> lanes;
  std::optional<Duration> stop_timeout;
  std::optional<Duration> turn_limit;
  std::optional<std::size_t> memory;
  std::optional<bool> skip_gaps;
  std::optional<std::string> log, store;  // URLs; of `host db init` an administrator's
  std::string role = "host";              // of `host db init`: the name of the host's role
  // Where passwords of PostgreSQL roles are: files of a folder, one a role, or variables.
  std::string passwords;
  std::map<std::string, std::string> password_variables;  // by role; HOST_PASSWORD__ROLE
  ports::LogLevel log_level = ports::LogLevel::info;
  std::vector<Assignment> sets;       // variables first: later ones win
  std::vector<std::string> warnings;  // to be logged: unknown HOST_ variables
};

/// The process ends here: --help, --version, or a wrong call.
struct Exit {
  int code = kFine;
  std::string text;
};

using Environ = std::map<std::string, std::string>;

/// Reads command line and variables; the command line wins. `arguments` without the program's name.
std::variant<Options, Exit> parse_options(const std::vector<std::string>& arguments,
                                          const Environ& environ);

/// "128MB", "64KB", "1GB", or bytes; powers of 1024. Error: invalid.
Result<std::size_t> parse_size(std::string_view text);
/// Whether "127.0.0.1:80", "[::1]:80" or "localhost:80" stays on this machine.
bool is_loopback(std::string_view address);
/// The one of `names` that `word` was probably meant to be; "": none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace host::app
