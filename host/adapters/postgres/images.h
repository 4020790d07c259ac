#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "host/adapters/journal/overlay.h"
#include "host/adapters/postgres/connection.h"
#include "host/core/ids.h"

namespace host::postgres {

/// A shard's outgoing messages in the database, which holds those that were acknowledged a little
/// longer: removing some is a statement of its own, whatever their number.
struct Outbox {
  static constexpr std::size_t kMostRows = 32;
  static constexpr std::size_t kMostBytes = 64 * 1024;

  std::int64_t removed = 0;      // messages up to it are gone
  std::size_t rows = kMostRows;  // added since; after a claim who knows
  std::size_t bytes = 0;

  /// Whether a commit removes what is acknowledged: there is enough, or it adds nothing itself.
  bool removes(std::int64_t acked, std::size_t added) const {
    return acked > removed && (added == 0 || rows >= kMostRows || bytes >= kMostBytes);
  }
  void committed(std::int64_t acked, std::size_t added) {
    if (removes(acked, added)) {
      removed = acked;
      rows = bytes = 0;
    }
    rows += added > 0 ? 1 : 0;
    bytes += added;
  }
};

/// A shard as this process claimed it, and what of it is newer than the tables.
struct Image {
  explicit Image(journal::Bounds bounds) : overlay(bounds) {}

  std::int64_t epoch = 0;
  std::atomic<std::int64_t> commit_no{
      0};                             // of the last commit that is known; of the shard's worker
  Outbox outbox;                      // as commit_no
  std::atomic<bool> carrying{false};  // its tables are being brought up to date
  journal::Overlay overlay;
};
using ImagePointer = std::shared_ptr<Image>;

/// The shards that this process believes to own: from a claim on, until a fence says otherwise.
/// Thread-safe.
class Images {
 public:
  /// Null: it is not ours, or not any more.
  ImagePointer find(const ShardRef& shard) const {
    const std::lock_guard lock(mutex_);
    const auto at = images_.find(shard);
    return at == images_.end() ? nullptr : at->second;
  }
  void set(const ShardRef& shard, ImagePointer image) {
    const std::lock_guard lock(mutex_);
    images_.insert_or_assign(shard, std::move(image));
  }
  void drop(const ShardRef& shard) {
    const std::lock_guard lock(mutex_);
    images_.erase(shard);
  }
  std::vector<std::pair<ShardRef, ImagePointer>> all() const {
    const std::lock_guard lock(mutex_);
    return {images_.begin(), images_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::map<ShardRef, ImagePointer> images_;  // guarded by mutex_
};

/// Reads the records above `above` of a shard's tail into `overlay`. What it reads is overdue: else
/// a process that is killed again and again would never carry it over. Errors: corrupt,
/// unsupported. Throws Failure.
Result<void> read_tail(Connection& db, const Schema& schema, const ShardRef& shard,
                       std::int64_t above, journal::Overlay& overlay);

/// The outgoing messages above `acked_seq`, in order. Errors and throws as read_tail().
Result<std::vector<ports::OutgoingRow>> read_outbox(Connection& db, const Schema& schema,
                                                    const ShardRef& shard, std::int64_t acked_seq);

}  // namespace host::postgres
