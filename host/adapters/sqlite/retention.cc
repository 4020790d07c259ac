#include "host/adapters/sqlite/retention.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>

#include "host/adapters/sqlite/jobs.h"

namespace host::sqlite {
namespace {

constexpr int kSliceBatches = 32;
constexpr std::int64_t kSliceBytes = 8 << 20;
constexpr int kSliceRows = 500;
constexpr std::int64_t kWorthwhilePages = 1000;

/// The lowest offset that some plugin has not read. What commits say in memory is newer than the
/// tables, and all that there is of a plugin that has only begun.
Offset first_unread(Connection& db, const Overlays& overlays, const std::string& topic,
                    PartitionNumber partition) {
  std::map<std::string, Offset> next;  // by plugin that consumes the topic
  {
    Statement rows = db.query(
        "select s.plugin, max(iif(s.number = ?2, o.next, 0)) from host_shard_offset o"
        " join host_shard s on s.id = o.shard where o.topic = ?1 group by s.plugin",
        topic, partition);
    while (rows.step()) next[rows.bytes(0)] = rows.integer(1);
  }
  for (const auto& [shard, image] : overlays.all()) {
    const std::optional<Offset> newer = image.overlay->offset(topic);
    if (!newer) continue;
    Offset& known = next[shard.plugin];
    if (shard.number == partition) known = *newer;
  }
  Offset lowest = std::numeric_limits<Offset>::max();
  for (const auto& [plugin, offset] : next) lowest = std::min(lowest, offset);
  return lowest;
}

struct Slice {
  Offset start = -1;  // the new one; -1: nothing to drop
  bool more = false;
};

Slice drop_slice(Round& round, const Overlays& overlays, std::int64_t topic,
                 const ports::TopicSettings& settings, PartitionNumber partition) {
  Connection& db = round.db;
  std::int64_t kept_bytes = 0;
  {
    Statement row =
        db.query("select bytes from host_topic_partition where topic = ? and partition = ?", topic,
                 partition);
    if (row.step()) kept_bytes = row.integer(0);
  }
  const Offset unread = first_unread(db, overlays, settings.name, partition);
  const auto too_old = [&](Time last) {
    return settings.keep != kForever && last < round.now - settings.keep;
  };
  Slice slice;
  std::int64_t dropped = 0;
  int batches = 0;
  {
    Statement row = db.query(
        "select base, records, last_time, length(data) from host_log_batch"
        " where topic = ? and partition = ? order by base limit 33",
        topic, partition);
    while (row.step()) {
      const Offset next = row.integer(0) + row.integer(1);
      const bool too_much = settings.max_bytes > 0 &&
                            kept_bytes - dropped > static_cast<std::int64_t>(settings.max_bytes);
      if (next > unread || (!too_old(row.time(2)) && !too_much)) break;
      if (batches == kSliceBatches || dropped >= kSliceBytes) {
        slice.more = true;
        break;
      }
      dropped += row.integer(3);
      slice.start = next;
      ++batches;
    }
  }
  if (slice.start < 0) return slice;
  db.run("delete from host_log_batch where topic = ? and partition = ? and base < ?", topic,
         partition, slice.start);
  db.run(
      "update host_topic_partition set start = ?, bytes = bytes - ?"
      " where topic = ? and partition = ?",
      slice.start, dropped, topic, partition);
  return slice;
}

Result<void> retain_partition(Writer& writer, LogIndex& index, const Overlays& overlays,
                              std::int64_t topic, const ports::TopicSettings& settings,
                              PartitionNumber partition) {
  for (Slice slice{.start = -1, .more = true}; slice.more;) {
    Result<void> done = write_now(writer, [&](Round& round) -> Result<void> {
      slice = drop_slice(round, overlays, topic, settings, partition);
      return {};
    });
    if (!done) return done;
    if (slice.start >= 0) index.trimmed(settings.name, partition, slice.start);
  }
  return {};
}

/// Deletes by slices whatever `sql` (with "now" and a limit) selects.
Result<void> sweep(Writer& writer, const char* sql) {
  for (int gone = kSliceRows; gone == kSliceRows;) {
    Result<void> done = write_now(writer, [&](Round& round) -> Result<void> {
      gone = round.db.run(sql, round.now, kSliceRows);
      return {};
    });
    if (!done) return done;
  }
  return {};
}

/// Gives pages that nothing uses any more back to the disk, a slice a round, once they are a
/// quarter of the file; some are kept for what comes next.
Result<void> give_back(Writer& writer) {
  for (bool more = true; more;) {
    Result<void> done = write_now(writer, [&](Round& round) -> Result<void> {
      const auto number = [&](const char* pragma) {
        Statement row = round.db.query(pragma);
        return row.step() ? row.integer(0) : 0;
      };
      const std::int64_t unused = number("pragma freelist_count");
      more = unused > kWorthwhilePages && unused * 4 > number("pragma page_count");
      if (more) round.db.run("pragma incremental_vacuum(500)");
      return {};
    });
    if (!done) return done;
  }
  return {};
}

}  // namespace

Result<void> retain(Writer& writer, LogIndex& index, const Overlays& overlays) {
  for (const auto& [id, settings] : index.topics()) {
    if (settings.keep == kForever && settings.max_bytes == 0) continue;
    for (PartitionNumber p = 0; p < settings.partitions; ++p) {
      const auto place = index.find(settings.name, p);
      if (!place || place->start == place->end) continue;
      if (Result<void> done = retain_partition(writer, index, overlays, id, settings, p); !done)
        return done;
    }
  }
  for (const char* sql : {
           "delete from host_reply where ask_id in (select ask_id from host_reply"
           " where until <= ? limit ?)",
           "delete from host_answer where id in (select id from host_answer"
           " where until <= ? limit ?)",
           "delete from host_once_seen where (shard, id) in (select shard, id"
           " from host_once_seen where until <= ? limit ?)",
           "delete from host_state where (shard, key) in (select shard, key from host_state"
           " where bytes is null and quiet_until <= ? limit ?)",
       }) {
    if (Result<void> done = sweep(writer, sql); !done) return done;
  }
  return give_back(writer);
}

}  // namespace host::sqlite
