#include "host/adapters/sqlite/record_batch.h"

#include <lz4.h>

#include <cstdint>
#include <optional>

#include "host/adapters/sqlite/crc32c.h"
#include "host/base/check.h"

namespace host::sqlite {
namespace {

constexpr char kVersion = 1;
constexpr char kCompressed = 1;
constexpr std::size_t kChecked = 5;      // where the bytes under the checksum begin
constexpr std::size_t kHeaderSize = 22;  // of everything before the body
constexpr std::size_t kLargestBody = std::size_t{1} << 28;

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

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

/// Reads what the functions above wrote; turns bad at the first thing that cannot be.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      good_ = false;
      return {};
    }
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }
  /// A number of things of at least one byte each.
  std::uint64_t count() {
    const std::uint64_t n = number();
    if (n > rest_.size()) good_ = false;
    return good_ ? n : 0;
  }
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

void put_pairs(std::string& out, const Headers& pairs) {
  put_number(out, pairs.size());
  for (const auto& [name, value] : pairs) {
    put_text(out, name);
    put_text(out, value);
  }
}

Headers get_pairs(Reader& in) {
  Headers pairs;
  const std::uint64_t count = in.count();
  for (std::uint64_t i = 0; i < count && in.good(); ++i) {
    std::string name = in.text();
    pairs.emplace_back(std::move(name), in.text());
  }
  return pairs;
}

std::string encode_body(const Record* records, std::size_t count) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += size_of(records[i]);
  std::string body;
  body.reserve(size);
  for (std::size_t i = 0; i < count; ++i) {
    const Record& record = records[i];
    put_number(body, static_cast<std::uint64_t>(to_micros(record.time)));
    put_number(body, record.key ? 1 : 0);
    if (record.key) put_text(body, *record.key);
    put_text(body, record.payload);
    put_pairs(body, record.headers);
  }
  return body;
}

/// Nothing when it does not expand to exactly `size` bytes.
std::optional<std::string> expand(std::string_view packed, std::size_t size) {
  std::string body(size, '\0');
  const int made = LZ4_decompress_safe(packed.data(), body.data(), static_cast<int>(packed.size()),
                                       static_cast<int>(size));
  if (made < 0 || static_cast<std::size_t>(made) != size) return std::nullopt;
  return body;
}

}  // namespace

std::size_t size_of(const Record& record) {
  std::size_t size = 32 + (record.key ? record.key->size() : 0) + record.payload.size();
  for (const auto& [name, value] : record.headers) size += name.size() + value.size() + 4;
  return size;
}

std::string encode_batch(const Record* records, std::size_t count) {
  const std::string body = encode_body(records, count);
  HOST_CHECK(body.size() < kLargestBody, "a record batch is larger than its format allows");
  std::string packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(body.size()))),
                     '\0');
  const int made = LZ4_compress_default(body.data(), packed.data(), static_cast<int>(body.size()),
                                        static_cast<int>(packed.size()));
  const bool smaller = made > 0 && static_cast<std::size_t>(made) < body.size();
  const std::string_view stored =
      smaller ? std::string_view(packed.data(), static_cast<std::size_t>(made)) : body;

  std::string checked;
  checked.reserve(kHeaderSize + stored.size());
  checked.push_back(smaller ? kCompressed : '\0');
  put_fixed(checked, static_cast<std::uint64_t>(records[0].offset), 8);
  put_fixed(checked, count, 4);
  put_fixed(checked, body.size(), 4);
  checked.append(stored);

  std::string out;
  out.reserve(kChecked + checked.size());
  out.push_back(kVersion);
  put_fixed(out, crc32c(checked), 4);
  return out += checked;
}

Result<std::vector<Record>> decode_batch(std::string_view bytes, const std::string& topic,
                                         PartitionNumber partition, Offset base) {
  const auto corrupt = [&](const char* why) {
    return make_error(Error::Code::corrupt,
                      "the record batch of topic " + topic + ", partition " +
                          std::to_string(partition) + ", offset " + std::to_string(base) +
                          " is damaged: " + why,
                      "restore the data folder from a backup");
  };
  if (bytes.size() < kHeaderSize) return corrupt("it is cut off");
  if (bytes[0] != kVersion) return corrupt("its version is not known");
  if (get_fixed(bytes, 1, 4) != crc32c(bytes.substr(kChecked))) {
    return corrupt("its checksum does not match");
  }
  const bool compressed = bytes[kChecked] == kCompressed;
  const auto first = static_cast<Offset>(get_fixed(bytes, kChecked + 1, 8));
  const std::uint64_t count = get_fixed(bytes, kChecked + 9, 4);
  const std::uint64_t size = get_fixed(bytes, kChecked + 13, 4);
  if (first != base) return corrupt("it belongs to another offset than its row says");
  if (size >= kLargestBody || count > size) return corrupt("its sizes cannot be");

  std::optional<std::string> expanded;
  std::string_view body = bytes.substr(kHeaderSize);
  if (compressed) {
    expanded = expand(body, size);
    if (!expanded) return corrupt("it does not decompress");
    body = *expanded;
  }
  Reader in(body);
  std::vector<Record> records(count);
  for (std::uint64_t i = 0; i < count && in.good(); ++i) {
    Record& record = records[i];
    record.topic = topic;
    record.partition = partition;
    record.offset = base + static_cast<Offset>(i);
    record.time = from_micros(static_cast<std::int64_t>(in.number()));
    if (in.number() != 0) record.key = in.text();
    record.payload = in.text();
    record.headers = get_pairs(in);
  }
  if (!in.done()) return corrupt("its records do not add up");
  return records;
}

std::string encode_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  put_pairs(out, pairs);
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> decode_pairs(std::string_view bytes) {
  Reader in(bytes);
  auto pairs = get_pairs(in);
  if (!in.done()) return make_error(Error::Code::corrupt, "a stored list of texts is damaged");
  return pairs;
}

}  // namespace host::sqlite
