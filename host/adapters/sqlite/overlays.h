#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/sqlite/connection.h"

namespace host::sqlite {

/// A shard's row id, and what of it is newer than the tables.
struct Image {
  std::int64_t id = 0;
  std::shared_ptr<journal::Overlay> overlay;
};

/// The overlay of every shard that was ever claimed. Thread-safe.
class Overlays {
 public:
  explicit Overlays(journal::Bounds bounds) : bounds_(bounds) {}

  /// Reads the tail of every shard; one that does not decode is an error of its shard alone.
  /// Throws SqlFailure.
  void load(Connection& db);
  /// The overlay of one shard as its tail says. What it reads is overdue: else a process that is
  /// killed again and again would never carry it over. Errors: corrupt, unsupported. Throws
  /// SqlFailure.
  Result<Image> read_tail(Connection& db, std::int64_t id, const ShardRef& shard) const;
  void set(const ShardRef& shard, Result<Image> image);

  /// No overlay: never claimed, there is nothing of this shard. Errors: as read_tail().
  Result<Image> find(const ShardRef& shard) const;
  /// Of all shards of a plugin, or the first error.
  Result<std::vector<Image>> of_plugin(const std::string& plugin) const;
  /// Those with an overlay.
  std::vector<std::pair<ShardRef, Image>> all() const;

  const journal::Bounds& bounds() const { return bounds_; }

 private:
  const journal::Bounds bounds_;
  mutable std::mutex mutex_;
  std::map<ShardRef, Result<Image>> images_;  // guarded by mutex_
};

}  // namespace host::sqlite
