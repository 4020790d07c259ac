#pragma once

#include <libpq-fe.h>

#include <concepts>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/base/time.h"

namespace host::postgres {

// Types as the server numbers them (pg_type.h); they never change.
inline constexpr Oid kBool = 16, kBytea = 17, kInt8 = 20, kInt4 = 23, kText = 25;
inline constexpr Oid kByteaArray = 1001, kInt4Array = 1007, kTextArray = 1009, kInt8Array = 1016,
                     kBoolArray = 1000;

/// A parameter or an element that is a bytea; a plain string is text: UTF-8 without NUL.
struct Bytes {
  std::string_view bytes;
};

/// An array parameter in the server's binary format, filled element by element, for unnest().
class Array {
 public:
  explicit Array(Oid element, std::size_t expected = 0);

  void add(std::string_view bytes);  // of text and bytea
  void add(std::int64_t value);      // of int8 and int4, as the element says
  void add(std::same_as<bool> auto value) { add_flag(value); }  // not of pointers
  void add(Time value) { add(to_micros(value)); }
  void add_null();
  template <class T>
  void add(const std::optional<T>& value) {
    value ? add(*value) : add_null();
  }

  Oid oid() const;
  std::size_t size() const { return count_; }
  /// As it is sent.
  std::string finish() &&;

 private:
  void add_flag(bool value);

  const Oid element_;
  std::size_t count_ = 0;
  bool has_null_ = false;
  std::string out_;
};

/// The parameters of one statement, all binary. Borrows texts and bytes until it is sent; owns
/// numbers and arrays.
class Params {
 public:
  Params() = default;
  template <class First, class... Rest>
  requires(!std::same_as<std::remove_cvref_t<First>, Params>) explicit Params(First&& first,
                                                                              Rest&&... rest) {
    add(std::forward<First>(first));
    (add(std::forward<Rest>(rest)), ...);
  }
  Params(Params&&) = default;  // what it owns stays where it is
  Params& operator=(Params&&) = default;

  void add(std::string_view text) { borrow(kText, text); }
  void add(const std::string& text) { borrow(kText, text); }
  void add(std::string&&) = delete;  // it would be gone before it is sent
  void add(const char* text) { borrow(kText, text); }
  void add(Bytes bytes) { borrow(kBytea, bytes.bytes); }
  void add(std::int64_t value);
  void add(std::int32_t value);
  void add(std::size_t value) { add(static_cast<std::int64_t>(value)); }
  void add(std::same_as<bool> auto value) { own(kBool, std::string(1, value ? '\1' : '\0')); }
  void add(Time value) { add(to_micros(value)); }
  void add(Array&& array);
  void add_null(Oid type);

  int count() const { return static_cast<int>(values_.size()); }
  const Oid* types() const { return types_.data(); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }
  /// Of all values, about.
  std::size_t bytes() const { return bytes_; }

 private:
  void borrow(Oid type, std::string_view value);
  void own(Oid type, std::string value);

  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::deque<std::string> owned_;
  std::size_t bytes_ = 0;
};

}  // namespace host::postgres
