#include "host/adapters/sqlite/record_batch.h"

#include <cstdint>
#include <optional>

#include "host/adapters/journal/bytes.h"
#include "host/adapters/journal/crc32c.h"
#include "host/base/check.h"

namespace host::sqlite {
namespace {

using journal::get_fixed;
using journal::put_fixed;
using journal::put_number;

constexpr char kVersion = 1;
constexpr char kCompressed = 1;
constexpr std::size_t kChecked = 5;      // where the bytes under the checksum begin
constexpr std::size_t kHeaderSize = 22;  // of everything before the body
constexpr std::size_t kLargestBody = std::size_t{1} << 28;

std::string encode_body(const Record* records, std::size_t count) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += size_of(records[i]);
  std::string body;
  body.reserve(size);
  for (std::size_t i = 0; i < count; ++i) {
    const Record& record = records[i];
    put_number(body, static_cast<std::uint64_t>(to_micros(record.time)));
    journal::put_optional(body, record.key);
    journal::put_text(body, record.payload);
    journal::put_pairs(body, record.headers);
  }
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
  const std::optional<std::string> packed = journal::pack(body);
  const std::string& stored = packed ? *packed : body;

  std::string checked;
  checked.reserve(kHeaderSize + stored.size());
  checked.push_back(packed ? kCompressed : '\0');
  put_fixed(checked, static_cast<std::uint64_t>(records[0].offset), 8);
  put_fixed(checked, count, 4);
  put_fixed(checked, body.size(), 4);
  checked.append(stored);

  std::string out;
  out.reserve(kChecked + checked.size());
  out.push_back(kVersion);
  put_fixed(out, journal::crc32c(checked), 4);
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
  if (get_fixed(bytes, 1, 4) != journal::crc32c(bytes.substr(kChecked))) {
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
    expanded = journal::expand(body, size);
    if (!expanded) return corrupt("it does not decompress");
    body = *expanded;
  }
  journal::ByteReader in(body);
  std::vector<Record> records(count);
  for (std::uint64_t i = 0; i < count && in.good(); ++i) {
    Record& record = records[i];
    record.topic = topic;
    record.partition = partition;
    record.offset = base + static_cast<Offset>(i);
    record.time = from_micros(static_cast<std::int64_t>(in.number()));
    record.key = in.optional_text();
    record.payload = in.text();
    record.headers = in.pairs();
  }
  if (!in.done()) return corrupt("its records do not add up");
  return records;
}

}  // namespace host::sqlite
