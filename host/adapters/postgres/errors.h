#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "host/base/result.h"

namespace host::postgres {

/// What the server answered, or that it is gone; travels inside the adapter only and becomes an
/// Error at the port.
class Failure : public std::runtime_error {
 public:
  Failure(std::string state, const std::string& message, std::string hint = {})
      : std::runtime_error(message), state_(std::move(state)), hint_(std::move(hint)) {}
  /// The connection is gone, or did not answer in time: what it was doing has an unknown end.
  static Failure lost(const std::string& message) {
    Failure failure("", message);
    failure.lost_ = true;
    return failure;
  }

  /// SQLSTATE; empty when the server did not say one.
  const std::string& state() const { return state_; }
  const std::string& hint() const { return hint_; }
  /// The character of the statement that the server points at, from 1 on; 0: at none.
  int position() const { return position_; }
  Failure at(int position) && {
    position_ = position;
    return std::move(*this);
  }
  bool lost() const { return lost_; }
  bool is(const char* state) const { return state_ == state; }

 private:
  std::string state_;
  std::string hint_;
  int position_ = 0;
  bool lost_ = false;
};

/// A standby, or a server that became one: another connection may lead elsewhere.
inline constexpr const char* kReadOnly = "25006";
inline constexpr const char* kTimeIsOver = "57014";  // of statement_timeout

/// True for failures of server, disk, lock or connection: nobody's fault, a repeat may help. Where
/// a statement is a plugin's, kTimeIsOver may be its own fault: it is tried alone.
bool is_environment(const Failure& failure);

/// The Error that a port answers; `what` says what was tried ("claiming owls/3").
Error to_error(const Failure& failure, const std::string& what);

}  // namespace host::postgres
