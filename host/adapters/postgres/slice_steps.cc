// The slice of a checkpoint: a statement a kind, and those that have nothing to do are left out.
#include "host/adapters/journal/bytes.h"
#include "host/adapters/postgres/steps.h"

namespace host::postgres {
namespace {

void add_states(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  Array keys(kText, slice.states.size()), bytes(kBytea, slice.states.size()), versions(kInt4),
      quiet(kInt8), gone(kText);
  for (const journal::StateEntry* entry : slice.states) {
    const ports::StateRow& row = entry->value;
    if (!row.bytes && !row.quiet_until) {
      gone.add(*entry->key);
      continue;
    }
    keys.add(*entry->key);
    bytes.add(row.bytes);
    versions.add(std::int64_t{row.version});
    quiet.add(row.quiet_until);
  }
  if (keys.size() > 0) {
    steps.push_back({.sql = "insert into ~host_state (shard, key, bytes, version, quiet_until)"
                            " select $1, * from unnest($2, $3, $4, $5)"
                            " on conflict (shard, key) do update set bytes = excluded.bytes,"
                            " version = excluded.version, quiet_until = excluded.quiet_until",
                     .params = Params(shard, std::move(keys), std::move(bytes), std::move(versions),
                                      std::move(quiet))});
  }
  if (gone.size() > 0) {
    steps.push_back({.sql = "delete from ~host_state where shard = $1 and key = any($2)",
                     .params = Params(shard, std::move(gone))});
  }
}

void add_pending(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  Array gone(kInt8), ids(kInt8), keys(kBytea), kinds(kInt4), message_ids(kBytea), topics(kBytea),
      payloads(kBytea), headers(kBytea), times(kInt8), attempts(kInt4), due(kInt8), stopped(kBool),
      errors(kBytea);
  for (const journal::PendingEntry* entry : slice.pending) {
    const auto& [row, replaces] = entry->value;
    if (!row || replaces) gone.add(*entry->key);
    if (!row) continue;
    const Message& message = row->message;
    ids.add(row->id);
    keys.add(message.key);
    kinds.add(static_cast<std::int64_t>(message.kind));
    message_ids.add(message.id);
    topics.add(message.topic);
    payloads.add(message.payload);
    headers.add(journal::encode_pairs(message.headers));
    times.add(message.time);
    attempts.add(std::int64_t{message.attempt});
    due.add(row->due);
    stopped.add(row->stopped);
    errors.add(row->last_error);
  }
  if (gone.size() > 0) {
    steps.push_back({.sql = "delete from ~host_pending where shard = $1 and id = any($2)",
                     .params = Params(shard, std::move(gone))});
  }
  if (ids.size() == 0) return;
  // A row that is known keeps its message: who put it again may hold it without the payload.
  steps.push_back(
      {.sql = "insert into ~host_pending (shard, id, key, kind, message_id, topic, payload,"
              " headers, time, attempt, due, stopped, last_error)"
              " select $1, * from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
              " on conflict (shard, id) do update set attempt = excluded.attempt,"
              " due = excluded.due, stopped = excluded.stopped, last_error = excluded.last_error",
       .params =
           Params(shard, std::move(ids), std::move(keys), std::move(kinds), std::move(message_ids),
                  std::move(topics), std::move(payloads), std::move(headers), std::move(times),
                  std::move(attempts), std::move(due), std::move(stopped), std::move(errors))});
}

void add_cancels(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  if (slice.cancels.empty()) return;
  Array keys(kBytea), which(kBytea);
  for (const journal::CancelEntry* entry : slice.cancels) {
    keys.add(entry->key->first);
    which.add(entry->key->second);
  }
  steps.push_back({.sql = "delete from ~host_timer t using unnest($2, $3) as c(key, which)"
                          " where t.shard = $1 and sha256(t.key) = sha256(c.key) and t.key = c.key"
                          " and (c.which = '' or t.id = c.which or t.name = c.which)",
                   .params = Params(shard, std::move(keys), std::move(which))});
}

void add_timers(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  Array gone(kBytea), ids(kBytea), names(kBytea), keys(kBytea), due(kInt8), payloads(kBytea),
      headers(kBytea);
  for (const journal::TimerEntry* entry : slice.timers) {
    if (!entry->value) {
      gone.add(*entry->key);
      continue;
    }
    const ports::TimerRow& row = *entry->value;
    ids.add(row.id);
    names.add(row.name);
    keys.add(row.key);
    due.add(row.due);
    payloads.add(row.payload);
    headers.add(journal::encode_pairs(row.headers));
  }
  if (gone.size() > 0) {
    steps.push_back({.sql = "delete from ~host_timer where shard = $1 and sha256(id) in"
                            " (select sha256(i) from unnest($2) as u(i))",
                     .params = Params(shard, std::move(gone))});
  }
  if (ids.size() == 0) return;
  steps.push_back({.sql = "insert into ~host_timer (shard, id, name, key, due, payload, headers)"
                          " select $1, * from unnest($2, $3, $4, $5, $6, $7)"
                          " on conflict (shard, sha256(id)) do update set name = excluded.name,"
                          " key = excluded.key, due = excluded.due, payload = excluded.payload,"
                          " headers = excluded.headers",
                   .params = Params(shard, std::move(ids), std::move(names), std::move(keys),
                                    std::move(due), std::move(payloads), std::move(headers))});
}

void add_offsets(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  if (slice.offsets.empty()) return;
  Array topics(kText), next(kInt8);
  for (const journal::OffsetEntry* entry : slice.offsets) {
    topics.add(*entry->key);
    next.add(entry->value);
  }
  steps.push_back({.sql = "insert into ~host_shard_offset (shard, topic, next)"
                          " select $1, * from unnest($2, $3)"
                          " on conflict (shard, topic) do update set next = excluded.next",
                   .params = Params(shard, std::move(topics), std::move(next))});
}

void add_every(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  if (slice.every.empty()) return;
  Array names(kBytea), due(kInt8);
  for (const journal::EveryEntry* entry : slice.every) {
    names.add(*entry->key);
    due.add(entry->value);
  }
  steps.push_back({.sql = "insert into ~host_every_next (shard, name, due)"
                          " select $1, * from unnest($2, $3)"
                          " on conflict (shard, name) do update set due = excluded.due",
                   .params = Params(shard, std::move(names), std::move(due))});
}

void add_once(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  if (slice.once.empty()) return;
  Array ids(kBytea), until(kInt8);
  for (const journal::OnceEntry* entry : slice.once) {
    ids.add(*entry->key);
    until.add(entry->value);
  }
  steps.push_back({.sql = "insert into ~host_once_seen (shard, id, until)"
                          " select $1, * from unnest($2, $3)"
                          " on conflict (shard, sha256(id)) do update set until = excluded.until",
                   .params = Params(shard, std::move(ids), std::move(until))});
}

void add_marks(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  if (slice.marks.empty()) return;
  Array topics(kText), partitions(kInt4), streams(kBytea), epochs(kInt8), seqs(kInt8);
  for (const journal::MarkEntry* entry : slice.marks) {
    const auto& [topic, partition, stream] = *entry->key;
    topics.add(topic);
    partitions.add(std::int64_t{partition});
    streams.add(stream);
    epochs.add(entry->value.epoch);
    seqs.add(entry->value.seq);
  }
  steps.push_back({.sql = "insert into ~host_mark (shard, topic, partition, stream, epoch, seq)"
                          " select $1, * from unnest($2, $3, $4, $5, $6)"
                          " on conflict (shard, topic, partition, sha256(stream)) do update set"
                          " epoch = excluded.epoch, seq = excluded.seq",
                   .params = Params(shard, std::move(topics), std::move(partitions),
                                    std::move(streams), std::move(epochs), std::move(seqs))});
}

}  // namespace

void add_slice(Steps& steps, PartitionNumber shard, const journal::Slice& slice) {
  add_states(steps, shard, slice);
  add_pending(steps, shard, slice);
  add_cancels(steps, shard, slice);
  add_timers(steps, shard, slice);
  add_offsets(steps, shard, slice);
  add_every(steps, shard, slice);
  add_once(steps, shard, slice);
  add_marks(steps, shard, slice);
  if (slice.keep_from < 0) return;
  steps.push_back({.sql = "delete from ~host_journal where shard = $1 and commit_no < $2",
                   .params = Params(shard, slice.keep_from)});
}

}  // namespace host::postgres
