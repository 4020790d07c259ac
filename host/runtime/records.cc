#include "host/runtime/records.h"

#include "host/core/partition.h"

namespace host::runtime {

ports::Append make_record(const Environment& env, const Emit& emit, const Headers& headers,
                          std::int64_t without_key) {
  ports::Append record;
  record.topic = env.topic_prefix + emit.topic;
  record.key = emit.key;
  record.payload = emit.payload;
  record.headers = emit.headers;
  for (const auto& [name, value] : headers) {
    if (find_header(record.headers, name) == nullptr) record.headers.emplace_back(name, value);
  }
  const PartitionNumber partitions = env.identity.partitions;
  record.partition = emit.key ? partition_of(*emit.key, partitions)
                              : static_cast<PartitionNumber>(without_key % partitions);
  return record;
}

}  // namespace host::runtime
