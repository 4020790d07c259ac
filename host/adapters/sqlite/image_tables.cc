#include "host/adapters/sqlite/image_tables.h"

#include "host/adapters/journal/bytes.h"
#include "host/adapters/sqlite/rows.h"

namespace host::sqlite {
namespace {

using journal::Slice;
using ports::ShardImage;
using ports::TimerRow;

void write_state(Connection& db, std::int64_t shard, const journal::StateEntry& entry) {
  const ports::StateRow& row = entry.value;
  if (!row.bytes && !row.quiet_until) {
    db.run("delete from host_state where shard = ? and key = ?", shard, *entry.key);
    return;
  }
  const std::optional<Blob> bytes = row.bytes ? std::optional(Blob{*row.bytes}) : std::nullopt;
  db.run(
      "insert into host_state (shard, key, bytes, version, quiet_until) values (?, ?, ?, ?, ?)"
      " on conflict (shard, key) do update set bytes = excluded.bytes,"
      " version = excluded.version, quiet_until = excluded.quiet_until",
      shard, *entry.key, bytes, row.version, row.quiet_until);
}

void write_pending(Connection& db, std::int64_t shard, const journal::PendingEntry& entry) {
  const auto& [value, replaces] = entry.value;
  if (!value || replaces) {
    db.run("delete from host_pending where shard = ? and id = ?", shard, *entry.key);
  }
  if (!value) return;
  const Message& message = value->message;
  // A row that is known keeps its message: who put it again may hold it without the payload.
  db.run(
      "insert into host_pending (shard, id, key, kind, message_id, topic, payload, headers,"
      " time, attempt, due, stopped, last_error) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " on conflict (shard, id) do update set attempt = excluded.attempt, due = excluded.due,"
      " stopped = excluded.stopped, last_error = excluded.last_error",
      shard, value->id, message.key, static_cast<int>(message.kind), message.id, message.topic,
      Blob{message.payload}, Blob{journal::encode_pairs(message.headers)}, message.time,
      message.attempt, value->due, value->stopped ? 1 : 0, value->last_error);
}

void write_timer(Connection& db, std::int64_t shard, const journal::TimerEntry& entry) {
  if (!entry.value) {
    db.run("delete from host_timer where shard = ? and id = ?", shard, *entry.key);
    return;
  }
  const TimerRow& row = *entry.value;
  db.run(
      "insert or replace into host_timer (shard, id, name, key, due, payload, headers)"
      " values (?, ?, ?, ?, ?, ?, ?)",
      shard, row.id, row.name, row.key, row.due, Blob{row.payload},
      Blob{journal::encode_pairs(row.headers)});
}

void cancel_timers(Connection& db, std::int64_t shard, const journal::CancelKey& cancel) {
  const auto& [key, which] = cancel;
  if (which.empty()) {
    db.run("delete from host_timer where shard = ? and key = ?", shard, key);
  } else {
    db.run("delete from host_timer where shard = ?1 and key = ?2 and (id = ?3 or name = ?3)", shard,
           key, which);
  }
}

void write_rest(Connection& db, std::int64_t shard, const Slice& slice) {
  for (const journal::OffsetEntry* entry : slice.offsets) {
    db.run("insert or replace into host_shard_offset (shard, topic, next) values (?, ?, ?)", shard,
           *entry->key, entry->value);
  }
  for (const journal::EveryEntry* entry : slice.every) {
    db.run("insert or replace into host_every_next (shard, name, due) values (?, ?, ?)", shard,
           *entry->key, entry->value);
  }
  for (const journal::OnceEntry* entry : slice.once) {
    db.run("insert or replace into host_once_seen (shard, id, until) values (?, ?, ?)", shard,
           Blob{*entry->key}, entry->value);
  }
  for (const journal::MarkEntry* entry : slice.marks) {
    const auto& [topic, partition, stream] = *entry->key;
    db.run(
        "insert or replace into host_mark (shard, topic, partition, stream, epoch, seq)"
        " values (?, ?, ?, ?, ?, ?)",
        shard, topic, partition, stream, entry->value.epoch, entry->value.seq);
  }
}

}  // namespace

void insert_record(Connection& db, std::int64_t shard, std::int64_t commit_no,
                   std::string_view data) {
  db.run("insert into host_journal (id, data) values (?, ?)", journal_row(shard, commit_no),
         Blob{data});
}

void write_slice(Connection& db, std::int64_t shard, const Slice& slice) {
  for (const journal::StateEntry* entry : slice.states) write_state(db, shard, *entry);
  for (const journal::PendingEntry* entry : slice.pending) write_pending(db, shard, *entry);
  for (const journal::CancelEntry* entry : slice.cancels) cancel_timers(db, shard, *entry->key);
  for (const journal::TimerEntry* entry : slice.timers) write_timer(db, shard, *entry);
  write_rest(db, shard, slice);
  if (slice.keep_from < 0) return;
  db.run("delete from host_journal where id >= ? and id < ?", journal_row(shard, 0),
         journal_row(shard, slice.keep_from));
}

void read_tables(Connection& db, std::int64_t shard, ShardImage& image) {
  Statement offsets = db.query("select topic, next from host_shard_offset where shard = ?", shard);
  while (offsets.step()) image.next_offsets[offsets.bytes(0)] = offsets.integer(1);

  Statement pending = db.query(
      "select id, key, kind, message_id, topic, time, attempt, due, stopped, last_error"
      " from host_pending where shard = ? order by id",
      shard);
  while (pending.step()) image.pending.push_back(pending_row(pending, false));

  Statement marks =
      db.query("select topic, partition, stream, epoch, seq from host_mark where shard = ?", shard);
  while (marks.step()) {
    image.marks.push_back({.topic = marks.bytes(0),
                           .partition = static_cast<PartitionNumber>(marks.integer(1)),
                           .stream = marks.bytes(2),
                           .position = {.epoch = marks.integer(3), .seq = marks.integer(4)}});
  }
  Statement every = db.query("select name, due from host_every_next where shard = ?", shard);
  while (every.step()) image.every_next[every.bytes(0)] = every.time(1);
}

std::vector<TimerRow> read_timers(Connection& db, std::int64_t shard,
                                  const journal::Overlay::TimerPlace& after, std::size_t limit) {
  std::vector<TimerRow> timers;
  Statement rows = db.query(
      "select id, name, key, due, payload, headers from host_timer"
      " where shard = ? and (due, id) > (?, ?) order by due, id limit ?",
      shard, after.first, after.second, limit);
  while (rows.step()) {
    timers.push_back({.id = rows.bytes(0),
                      .name = rows.bytes(1),
                      .key = rows.bytes(2),
                      .due = rows.time(3),
                      .payload = rows.bytes(4),
                      .headers = headers_of(rows.view(5))});
  }
  return timers;
}

}  // namespace host::sqlite
