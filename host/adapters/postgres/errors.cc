#include "host/adapters/postgres/errors.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace host::postgres {
namespace {

// By the place of what failed and by these, never by the text, which the server translates.
constexpr std::array<std::string_view, 5> kEnvironmentClasses{
    "08",  // connection
    "53",  // resources: disk full, memory, too many connections
    "57",  // operator: shutdown, crash, cannot connect now, cancelled
    "58",  // system: I/O
    "F0",  // configuration file
};
constexpr std::array<std::string_view, 5> kEnvironmentStates{
    "40001",  // serialization failure
    "40P01",  // deadlock
    "55P03",  // lock_timeout
    "25P03",  // idle_in_transaction_session_timeout
    kReadOnly,
};

}  // namespace

bool is_environment(const Failure& failure) {
  if (failure.lost()) return true;
  const std::string_view state = failure.state();
  const auto is_class = [&](std::string_view c) { return state.substr(0, 2) == c; };
  return std::any_of(kEnvironmentClasses.begin(), kEnvironmentClasses.end(), is_class) ||
         std::find(kEnvironmentStates.begin(), kEnvironmentStates.end(), state) !=
             kEnvironmentStates.end();
}

Error to_error(const Failure& failure, const std::string& what) {
  const std::string text = what + ": " + failure.what();
  if (failure.lost()) return retryable_error(Error::Code::unavailable, text);
  const std::string& state = failure.state();
  if (state == "28P01" || state == "28000") {
    return make_error(Error::Code::invalid, text,
                      "give the store's user and password; the server's pg_hba.conf says who may "
                      "connect from where");
  }
  if (state == "3D000") {
    return make_error(Error::Code::invalid, text, "create it, or name another one in the URL");
  }
  if (state == "42501") {
    return make_error(Error::Code::invalid, text,
                      "the host's user must own its schemas, or may create them in the database");
  }
  if (state == "53100") {
    return retryable_error(Error::Code::exhausted, what + ": the disk of the database is full",
                           "make room; work goes on by itself");
  }
  if (state == "53300") {
    return retryable_error(Error::Code::unavailable, text,
                           "raise max_connections, or run fewer processes");
  }
  if (state.substr(0, 2) == "53") return retryable_error(Error::Code::exhausted, text);
  if (is_environment(failure)) return retryable_error(Error::Code::unavailable, text);
  if (state == "XX001" || state == "XX002") {
    return make_error(Error::Code::corrupt, text, "restore the database from a backup");
  }
  return make_error(Error::Code::internal, text, failure.hint());
}

}  // namespace host::postgres
