#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/conninfo.h"
#include "host/base/result.h"
#include "host/ports/store.h"

namespace host::postgres {

/// Of the common schema, and of a plugin's: written at its creation.
inline constexpr std::int64_t kCommonVersion = 1;
inline constexpr std::int64_t kPluginVersion = 1;

/// Makes the common schema, or checks that it is not newer than we are. One process at a time, by
/// an advisory lock. Errors: unsupported. Throws Failure.
Result<void> open_common_schema(Connection& db);

/// The identity of the deployment, made at its first start. Errors: invalid (another partition
/// count). Throws Failure.
Result<ports::Store::Identity> open_identity(Connection& db, PartitionNumber partitions);

/// Makes the schema of a plugin with the host's tables in it, or brings it up to date. One process
/// at a time. Errors: unsupported. Throws Failure.
Result<void> open_plugin_schema(Connection& db, const std::string& plugin);

/// The schemas that this process knows to be there. Thread-safe.
class KnownSchemas {
 public:
  bool has(const std::string& plugin) const {
    const std::lock_guard lock(mutex_);
    return plugins_.contains(plugin);
  }
  void add(const std::string& plugin) {
    const std::lock_guard lock(mutex_);
    plugins_.insert(plugin);
  }
  std::set<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return plugins_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> plugins_;  // guarded by mutex_
};

}  // namespace host::postgres
