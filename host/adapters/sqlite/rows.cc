#include "host/adapters/sqlite/rows.h"

#include "host/adapters/journal/bytes.h"

namespace host::sqlite {

std::int64_t find_shard(Connection& db, const ShardRef& shard) {
  Statement row = db.query("select id from host_shard where plugin = ? and number = ?",
                           shard.plugin, shard.number);
  return row.step() ? row.integer(0) : 0;
}

Headers headers_of(std::string_view bytes) {
  Result<Headers> headers = journal::decode_pairs(bytes);
  if (!headers) throw SqlFailure(SQLITE_CORRUPT, "stored headers are damaged");
  return std::move(*headers);
}

ports::PendingRow pending_row(const Statement& row, bool whole) {
  ports::PendingRow out;
  out.id = row.integer(0);
  out.message.key = row.optional_bytes(1);
  out.message.kind = static_cast<Message::Kind>(row.integer(2));
  out.message.id = row.bytes(3);
  out.message.topic = row.bytes(4);
  out.message.time = row.time(5);
  out.message.attempt = static_cast<int>(row.integer(6));
  out.due = row.optional_time(7);
  out.stopped = row.integer(8) != 0;
  out.last_error = row.bytes(9);
  if (!whole) return out;
  out.message.payload = row.bytes(10);
  out.message.headers = headers_of(row.view(11));
  return out;
}

const char* const kDeadColumns =
    " plugin, id, shard, kind, topic, key, payload, headers, time, attempt, reason, error_code,"
    " error, hint, file, line, revision, at, n ";

ports::DeadLetter dead_letter(const Statement& row) {
  ports::DeadLetter out;
  out.plugin = row.bytes(0);
  out.id = row.bytes(1);
  out.shard = static_cast<PartitionNumber>(row.integer(2));
  out.message.id = out.id;
  out.message.kind = static_cast<Message::Kind>(row.integer(3));
  out.message.topic = row.bytes(4);
  out.message.key = row.optional_bytes(5);
  out.message.payload = row.bytes(6);
  out.message.headers = headers_of(row.view(7));
  out.message.time = row.time(8);
  out.message.attempt = static_cast<int>(row.integer(9));
  out.reason = row.bytes(10);
  out.error.code = static_cast<Error::Code>(row.integer(11));
  out.error.message = row.bytes(12);
  out.error.hint = row.bytes(13);
  out.error.file = row.bytes(14);
  out.error.line = static_cast<int>(row.integer(15));
  out.revision = row.bytes(16);
  out.at = row.time(17);
  return out;
}

void insert_dead_letter(Connection& db, const ports::DeadLetter& letter) {
  const Message& message = letter.message;
  const Error& error = letter.error;
  db.run(
      "insert or replace into host_dead_letter (plugin, id, shard, kind, topic, key, payload,"
      " headers, time, attempt, reason, error_code, error, hint, file, line, revision, at)"
      " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      letter.plugin, letter.id, letter.shard, static_cast<int>(message.kind), message.topic,
      message.key, Blob{message.payload}, Blob{journal::encode_pairs(message.headers)},
      message.time, message.attempt, letter.reason, static_cast<int>(error.code), error.message,
      error.hint, error.file, error.line, letter.revision, letter.at);
}

ports::StateRow state_row(const Statement& row, int first_column) {
  return {.bytes = row.optional_bytes(first_column),
          .version = static_cast<int>(row.integer(first_column + 1)),
          .quiet_until = row.optional_time(first_column + 2)};
}

std::optional<ports::KeptAnswer> read_answer(Connection& db, const std::string& plugin,
                                             const std::string& scope, Time now) {
  Statement row = db.query(
      "select request, status, headers, body, whole, until from host_answer"
      " where plugin = ? and scope = ? and until > ?",
      plugin, Blob{scope}, now);
  if (!row.step()) return std::nullopt;
  return ports::KeptAnswer{.scope = scope,
                           .request = row.bytes(0),
                           .response = {.status = static_cast<int>(row.integer(1)),
                                        .headers = headers_of(row.view(2)),
                                        .body = row.bytes(3)},
                           .whole = row.integer(4) != 0,
                           .until = row.time(5)};
}

void insert_answer(Connection& db, const std::string& plugin, const ports::KeptAnswer& answer) {
  db.run(
      "insert or replace into host_answer (plugin, scope, request, status, headers, body, whole,"
      " until) values (?, ?, ?, ?, ?, ?, ?, ?)",
      plugin, Blob{answer.scope}, Blob{answer.request}, answer.response.status,
      Blob{journal::encode_pairs(answer.response.headers)}, Blob{answer.response.body},
      answer.whole ? 1 : 0, answer.until);
}

}  // namespace host::sqlite
