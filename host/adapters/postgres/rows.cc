#include "host/adapters/postgres/rows.h"

#include "host/adapters/journal/bytes.h"

namespace host::postgres {

Headers headers_of(std::string_view bytes) {
  Result<Headers> headers = journal::decode_pairs(bytes);
  if (!headers) throw Failure("XX001", "stored headers are damaged");
  return std::move(*headers);
}

ports::StateRow state_row(const Rows& rows, int row, int first_column) {
  return {.bytes = rows.optional_bytes(row, first_column),
          .version = static_cast<int>(rows.integer(row, first_column + 1)),
          .quiet_until = rows.optional_time(row, first_column + 2)};
}

const char* const kPendingColumns =
    " id, key, kind, message_id, topic, time, attempt, due, stopped, last_error ";

ports::PendingRow pending_row(const Rows& rows, int row, bool whole) {
  ports::PendingRow out;
  out.id = rows.integer(row, 0);
  out.message.key = rows.optional_bytes(row, 1);
  out.message.kind = static_cast<Message::Kind>(rows.integer(row, 2));
  out.message.id = rows.bytes(row, 3);
  out.message.topic = rows.bytes(row, 4);
  out.message.time = rows.time(row, 5);
  out.message.attempt = static_cast<int>(rows.integer(row, 6));
  out.due = rows.optional_time(row, 7);
  out.stopped = rows.flag(row, 8);
  out.last_error = rows.bytes(row, 9);
  if (!whole) return out;
  out.message.payload = rows.bytes(row, 10);
  out.message.headers = headers_of(rows.view(row, 11));
  return out;
}

void read_tables(Connection& db, const Schema& schema, PartitionNumber shard,
                 ports::ShardImage& image) {
  const Rows offsets =
      db.run(schema, "select topic, next from ~host_shard_offset where shard = $1", Params(shard));
  for (int i = 0; i < offsets.size(); ++i) {
    image.next_offsets[offsets.bytes(i, 0)] = offsets.integer(i, 1);
  }
  static const std::string kPending =
      std::string("select") + kPendingColumns + "from ~host_pending where shard = $1 order by id";
  const Rows pending = db.run(schema, kPending.c_str(), Params(shard));
  for (int i = 0; i < pending.size(); ++i) {
    image.pending.push_back(pending_row(pending, i, false));
  }
  const Rows marks =
      db.run(schema, "select topic, partition, stream, epoch, seq from ~host_mark where shard = $1",
             Params(shard));
  for (int i = 0; i < marks.size(); ++i) {
    image.marks.push_back({.topic = marks.bytes(i, 0),
                           .partition = static_cast<PartitionNumber>(marks.integer(i, 1)),
                           .stream = marks.bytes(i, 2),
                           .position = {.epoch = marks.integer(i, 3), .seq = marks.integer(i, 4)}});
  }
  const Rows every =
      db.run(schema, "select name, due from ~host_every_next where shard = $1", Params(shard));
  for (int i = 0; i < every.size(); ++i) image.every_next[every.bytes(i, 0)] = every.time(i, 1);
}

std::vector<ports::TimerRow> read_timers(Connection& db, const Schema& schema,
                                         PartitionNumber shard, Time after,
                                         const std::string& after_id, std::size_t limit) {
  const Rows rows =
      db.run(schema,
             "select id, name, key, due, payload, headers from ~host_timer"
             " where shard = $1 and due >= $2 and (due, id) > ($2, $3) order by due, id limit $4",
             Params(shard, after, Bytes{after_id}, limit));
  std::vector<ports::TimerRow> timers;
  for (int i = 0; i < rows.size(); ++i) {
    timers.push_back({.id = rows.bytes(i, 0),
                      .name = rows.bytes(i, 1),
                      .key = rows.bytes(i, 2),
                      .due = rows.time(i, 3),
                      .payload = rows.bytes(i, 4),
                      .headers = headers_of(rows.view(i, 5))});
  }
  return timers;
}

}  // namespace host::postgres
