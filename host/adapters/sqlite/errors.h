#pragma once

#include <stdexcept>
#include <string>

#include "host/base/result.h"

struct sqlite3;

namespace host::sqlite {

/// What SQLite answered; travels inside the adapter only and becomes an Error at the port.
class SqlFailure : public std::runtime_error {
 public:
  SqlFailure(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const { return code_; }            // extended
  int primary() const { return code_ & 0xff; }  // SQLITE_FULL, SQLITE_BUSY, ...

 private:
  int code_;
};

/// The last failure of a connection.
SqlFailure last_failure(sqlite3* db);

/// True for failures of disk, memory or lock: nobody's fault, the whole round fails and may be
/// repeated. Else only the statement's owner has failed.
bool is_environment(const SqlFailure& failure);

/// True when a failed COMMIT may nevertheless be found in the file after a crash: its frames may
/// have been written whole although they were not synced.
bool leaves_commit_unknown(const SqlFailure& failure);

/// The Error that a port answers; `what` says what was tried ("commit of a/3").
Error to_error(const SqlFailure& failure, const std::string& what);

}  // namespace host::sqlite
