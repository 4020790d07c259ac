#pragma once

#include <string>
#include <utility>
#include <variant>

#include "host/base/check.h"

namespace host {

/// Why something expected failed. `message` says what, which and why; `hint` how to mend it.
struct Error {
  enum class Code {
    invalid,       // bad input: a repeat cannot help
    not_found,     // the thing named is not there
    conflict,      // somebody else holds or changed it
    fenced,        // an epoch or commit number did not match: we are no longer the owner
    unavailable,   // a server or a resource is away; a repeat may help
    timeout,       // a deadline passed; the outcome may be unknown
    exhausted,     // a limit is reached (memory, size, queue, disk)
    corrupt,       // stored bytes are not what was written
    unsupported,   // known, but not in this version
    script_error,  // a script raised
    internal,      // a defect of the host
  };

  Code code = Code::internal;
  std::string message;
  std::string hint = {};
  bool retryable = false;
  std::string file = {};  // of a script, when the error came from one
  int line = 0;           // 1-based; 0: unknown

  /// "plugins/a.lua:3: message (hint)".
  std::string to_string() const;
};

const char* to_string(Error::Code code);

inline Error make_error(Error::Code code, std::string message, std::string hint = {}) {
  return Error{.code = code, .message = std::move(message), .hint = std::move(hint)};
}
inline Error retryable_error(Error::Code code, std::string message, std::string hint = {}) {
  return Error{
      .code = code, .message = std::move(message), .hint = std::move(hint), .retryable = true};
}

/// A value or an Error. Expected failure travels as a Result; exceptions end at a port.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    HOST_CHECK(ok(), "value() of a failed Result");
    return std::get<0>(v_);
  }
  const T& value() const& {
    HOST_CHECK(ok(), "value() of a failed Result");
    return std::get<0>(v_);
  }
  T&& value() && {
    HOST_CHECK(ok(), "value() of a failed Result");
    return std::get<0>(std::move(v_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    HOST_CHECK(!ok(), "error() of a good Result");
    return std::get<1>(v_);
  }
  Error&& error() && {
    HOST_CHECK(!ok(), "error() of a good Result");
    return std::get<1>(std::move(v_));
  }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : e_(std::move(error)), ok_(false) {}  // NOLINT: implicit

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const {
    HOST_CHECK(!ok_, "error() of a good Result");
    return e_;
  }

 private:
  Error e_;
  bool ok_ = true;
};

}  // namespace host
