#include "host/adapters/sqlite/session.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "host/adapters/sqlite/errors.h"

// The only source that sees SOCI's SQLite header: it puts sqlite3.h into a namespace of its own,
// so nothing else that speaks sqlite3 can be in this translation unit.
namespace host::sqlite {
namespace {

SqlFailure failure_of(const soci::soci_error& error, sqlite_api::sqlite3* native) {
  int code = 1;  // SQLITE_ERROR
  if (const auto* precise = dynamic_cast<const soci::sqlite3_soci_error*>(&error)) {
    code = precise->result();
  }
  if (native != nullptr) {
    const int extended = sqlite_api::sqlite3_extended_errcode(native);
    if ((extended & 0xff) == (code & 0xff)) {
      return SqlFailure(extended, sqlite_api::sqlite3_errmsg(native));
    }
  }
  return SqlFailure(code, error.what());
}

}  // namespace

Session::Session(const std::string& path) {
  try {
    soci_ = std::make_unique<soci::session>(soci::sqlite3, "dbname=\"" + path + "\" timeout=5");
  } catch (const soci::soci_error& error) {
    throw failure_of(error, nullptr);
  }
  auto* backend = static_cast<soci::sqlite3_session_backend*>(soci_->get_backend());
  native_ = reinterpret_cast<::sqlite3*>(backend->conn_);
}

Session::~Session() = default;

void Session::run(const std::string& sql) {
  try {
    *soci_ << sql;
  } catch (const soci::soci_error& error) {
    throw failure_of(error, reinterpret_cast<sqlite_api::sqlite3*>(native_));
  }
}

long long Session::number(const std::string& sql) {
  try {
    long long value = 0;
    *soci_ << sql, soci::into(value);
    return value;
  } catch (const soci::soci_error& error) {
    throw failure_of(error, reinterpret_cast<sqlite_api::sqlite3*>(native_));
  }
}

std::string Session::text(const std::string& sql) {
  try {
    std::string value;
    *soci_ << sql, soci::into(value);
    return value;
  } catch (const soci::soci_error& error) {
    throw failure_of(error, reinterpret_cast<sqlite_api::sqlite3*>(native_));
  }
}

}  // namespace host::sqlite
