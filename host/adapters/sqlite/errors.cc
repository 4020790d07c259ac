#include "host/adapters/sqlite/errors.h"

#include <sqlite3.h>

namespace host::sqlite {

SqlFailure last_failure(sqlite3* db) {
  return SqlFailure(sqlite3_extended_errcode(db), sqlite3_errmsg(db));
}

bool is_environment(const SqlFailure& failure) {
  switch (failure.primary()) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
      return true;
    default:
      return false;
  }
}

bool leaves_commit_unknown(const SqlFailure& failure) {
  // A write that failed leaves a torn last frame, which recovery drops; a sync that failed does
  // not say what reached the disk.
  switch (failure.code()) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
      return true;
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_TRUNCATE:
      return false;
    default:
      return failure.primary() == SQLITE_IOERR;
  }
}

Error to_error(const SqlFailure& failure, const std::string& what) {
  const std::string text = what + ": " + failure.what();
  switch (failure.primary()) {
    case SQLITE_FULL:
      return retryable_error(Error::Code::exhausted, what + ": the disk of the data folder is full",
                             "make room; work goes on by itself");
    case SQLITE_NOMEM:
      return retryable_error(Error::Code::exhausted, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_IOERR:
      return retryable_error(Error::Code::unavailable, text, "look at the disk of the data folder");
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return retryable_error(Error::Code::unavailable, text,
                             "the data folder and its files must be writable");
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return make_error(Error::Code::corrupt, text, "restore the data folder from a backup");
    case SQLITE_TOOBIG:
      return make_error(Error::Code::exhausted, text);
    default:
      return make_error(Error::Code::internal, text);
  }
}

}  // namespace host::sqlite
