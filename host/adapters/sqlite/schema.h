#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "host/adapters/sqlite/connection.h"
#include "host/base/result.h"

namespace host::sqlite {

/// Of the data file, written at its creation.
inline constexpr std::int64_t kApplicationId = 0x686f7374;  // "host"
inline constexpr std::int64_t kSchemaVersion = 3;

/// The host's tables begin so; no plugin's may.
inline constexpr const char* kHostPrefix = "host_";

/// Looks at the file before SQLite does. Errors: unavailable (file cannot be written).
Result<void> check_file(const std::filesystem::path& file);

/// Makes the schema in a new file, or checks that the file is one of ours, whole, and not newer
/// than we are. A file that is refused is not changed. Errors: invalid, unsupported, corrupt,
/// unavailable. Throws SqlFailure.
Result<void> open_schema(Connection& db, const std::filesystem::path& file);

struct Durability {
  bool full = true;              // each commit is on the disk; else never synced (tests)
  bool own_checkpoints = false;  // nothing is carried over inside a commit
  std::uint64_t max_file_bytes = 0;
};
/// Settings that live with a connection, not with the file. Throws SqlFailure.
void configure_writer(Connection& db, const Durability& durability);
void configure_reader(Connection& db, bool own_checkpoints);

}  // namespace host::sqlite
