#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/time.h"
#include "host/core/message.h"

namespace host::journal {

// How values look inside a journal record and a log batch: numbers are varints (7 bits a byte,
// lowest first) or of fixed size, little-endian; texts and BLOBs begin with their length.

void put_fixed(std::string& out, std::uint64_t value, int bytes);
std::uint64_t get_fixed(std::string_view in, std::size_t at, int bytes);

void put_number(std::string& out, std::uint64_t value);
/// Also negative ones, the small ones short (zigzag).
void put_signed(std::string& out, std::int64_t value);
void put_time(std::string& out, Time time);
void put_text(std::string& out, std::string_view text);
void put_optional(std::string& out, const std::optional<std::string>& text);
void put_optional(std::string& out, std::optional<Time> time);
void put_pairs(std::string& out, const Headers& pairs);

/// Reads what the functions above wrote; turns bad at the first thing that cannot be, and answers
/// zeros and empty texts from there on. Borrows the bytes.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number();
  std::int64_t signed_number();
  Time time() { return from_micros(signed_number()); }
  bool flag() { return number() != 0; }
  std::string text();
  std::optional<std::string> optional_text();
  std::optional<Time> optional_time();
  Headers pairs();
  /// A number of things of at least one byte each.
  std::uint64_t count();

  void fail() { good_ = false; }
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

/// `body` as one lz4 block; nothing when that is not smaller.
std::optional<std::string> pack(std::string_view body);
/// Nothing when it does not expand to exactly `size` bytes.
std::optional<std::string> expand(std::string_view packed, std::size_t size);

/// Lists of text pairs (headers, source files) as one BLOB. Error: corrupt.
std::string encode_pairs(const Headers& pairs);
Result<Headers> decode_pairs(std::string_view bytes);

}  // namespace host::journal
