#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/result.h"
#include "host/core/message.h"

namespace host::sqlite {

/// Records of one partition with dense offsets, as one BLOB: version byte, CRC32C, lz4.
///
///   byte  version (1)        u32  CRC32C of all that follows (all numbers little-endian)
///   byte  flags (1: lz4)     i64  offset of the first record
///   u32   records            u32  size of the body before compression
///   body: per record varints and bytes: time, key, payload, headers
///
/// Not empty.
std::string encode_batch(const Record* records, std::size_t count);

/// Topic and partition are the caller's to know. Error: corrupt, when the bytes are not what was
/// written or do not begin at `base`.
Result<std::vector<Record>> decode_batch(std::string_view bytes, const std::string& topic,
                                         PartitionNumber partition, Offset base);

/// What a record costs in memory and, before compression, in a batch.
std::size_t size_of(const Record& record);

}  // namespace host::sqlite
