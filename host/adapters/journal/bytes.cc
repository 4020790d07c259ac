#include "host/adapters/journal/bytes.h"

#include <lz4.h>

#include "host/base/check.h"

namespace host::journal {

void put_fixed(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

std::uint64_t get_fixed(std::string_view in, std::size_t at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[at + i])) << (8 * i);
  }
  return value;
}

void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_signed(std::string& out, std::int64_t value) {
  put_number(out, static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
}

void put_time(std::string& out, Time time) { put_signed(out, to_micros(time)); }

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

void put_optional(std::string& out, const std::optional<std::string>& text) {
  put_number(out, text ? 1 : 0);
  if (text) put_text(out, *text);
}

void put_optional(std::string& out, std::optional<Time> time) {
  put_number(out, time ? 1 : 0);
  if (time) put_time(out, *time);
}

void put_pairs(std::string& out, const Headers& pairs) {
  put_number(out, pairs.size());
  for (const auto& [name, value] : pairs) {
    put_text(out, name);
    put_text(out, value);
  }
}

std::uint64_t ByteReader::number() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return good_ ? value : 0;
  }
  good_ = false;
  return 0;
}

std::int64_t ByteReader::signed_number() {
  const std::uint64_t value = number();
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

std::string ByteReader::text() {
  const std::uint64_t size = number();
  if (size > rest_.size()) {
    good_ = false;
    return {};
  }
  std::string out(rest_.substr(0, size));
  rest_.remove_prefix(size);
  return out;
}

std::optional<std::string> ByteReader::optional_text() {
  return flag() ? std::optional(text()) : std::nullopt;
}

std::optional<Time> ByteReader::optional_time() {
  return flag() ? std::optional(time()) : std::nullopt;
}

Headers ByteReader::pairs() {
  Headers pairs;
  const std::uint64_t n = count();
  for (std::uint64_t i = 0; i < n && good_; ++i) {
    std::string name = text();
    pairs.emplace_back(std::move(name), text());
  }
  return pairs;
}

std::uint64_t ByteReader::count() {
  const std::uint64_t n = number();
  if (n > rest_.size()) good_ = false;
  return good_ ? n : 0;
}

std::optional<std::string> pack(std::string_view body) {
  HOST_CHECK(body.size() <= LZ4_MAX_INPUT_SIZE, "a block is larger than lz4 takes");
  std::string packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(body.size()))),
                     '\0');
  const int made = LZ4_compress_default(body.data(), packed.data(), static_cast<int>(body.size()),
                                        static_cast<int>(packed.size()));
  if (made <= 0 || static_cast<std::size_t>(made) >= body.size()) return std::nullopt;
  packed.resize(static_cast<std::size_t>(made));
  return packed;
}

std::optional<std::string> expand(std::string_view packed, std::size_t size) {
  std::string body(size, '\0');
  const int made = LZ4_decompress_safe(packed.data(), body.data(), static_cast<int>(packed.size()),
                                       static_cast<int>(size));
  if (made < 0 || static_cast<std::size_t>(made) != size) return std::nullopt;
  return body;
}

std::string encode_pairs(const Headers& pairs) {
  std::string out;
  put_pairs(out, pairs);
  return out;
}

Result<Headers> decode_pairs(std::string_view bytes) {
  ByteReader in(bytes);
  Headers pairs = in.pairs();
  if (!in.done()) return make_error(Error::Code::corrupt, "a stored list of texts is damaged");
  return pairs;
}

}  // namespace host::journal
