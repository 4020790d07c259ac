#include "host/runtime/records.h"

#include <array>
#include <charconv>

#include "host/core/partition.h"

namespace host::runtime {

ports::Append make_record(const Environment& env, Emit emit, Headers headers,
                          std::int64_t without_key) {
  const PartitionNumber partitions = env.identity.partitions;
  ports::Append record;
  record.topic = std::move(emit.topic.insert(0, env.topic_prefix));
  record.partition = emit.key ? partition_of(*emit.key, partitions)
                              : static_cast<PartitionNumber>(without_key % partitions);
  record.key = std::move(emit.key);
  record.payload = std::move(emit.payload);
  record.headers = std::move(headers);
  // What the script set itself wins, and comes first.
  if (!emit.headers.empty()) {
    record.headers.swap(emit.headers);
    for (auto& [name, value] : emit.headers) {
      if (find_header(record.headers, name) == nullptr) {
        record.headers.emplace_back(std::move(name), std::move(value));
      }
    }
  }
  return record;
}

void append_number(std::string& out, std::int64_t number) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.begin(), text.end(), number).ptr);
}

}  // namespace host::runtime
