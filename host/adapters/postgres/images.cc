#include "host/adapters/postgres/images.h"

namespace host::postgres {
namespace {

// A tail may be 64 MB: it comes in parts, so that it is not in memory twice.
constexpr std::int64_t kRecordsAtOnce = 200;

Result<journal::TailRecord> decode(std::string_view bytes, const ShardRef& shard,
                                   std::int64_t commit_no) {
  Result<journal::TailRecord> record = journal::decode(bytes, shard, commit_no);
  if (record || record.error().code != Error::Code::corrupt) return record;
  Error error = record.error();
  error.hint = "restore the database from a backup";
  return error;
}

}  // namespace

Result<void> read_tail(Connection& db, const Schema& schema, const ShardRef& shard,
                       std::int64_t above, journal::Overlay& overlay) {
  while (true) {
    const Rows rows = db.run(schema,
                             "select commit_no, data from ~host_journal where shard = $1"
                             " and commit_no > $2 order by commit_no limit $3",
                             Params(shard.number, above, kRecordsAtOnce));
    for (int i = 0; i < rows.size(); ++i) {
      above = rows.integer(i, 0);
      Result<journal::TailRecord> record = decode(rows.view(i, 1), shard, above);
      if (!record) return record.error();
      const journal::Changes changes{.commit = record->commit,
                                     .pending = std::move(record->pending),
                                     .timers_ended = std::move(record->timers_ended)};
      overlay.apply(changes, above, rows.view(i, 1).size(), Time{});
    }
    if (rows.size() < kRecordsAtOnce) return {};
  }
}

Result<std::vector<ports::OutgoingRow>> read_outbox(Connection& db, const Schema& schema,
                                                    const ShardRef& shard, std::int64_t acked_seq) {
  std::vector<ports::OutgoingRow> outgoing;
  std::int64_t above = 0;
  while (true) {
    const Rows rows = db.run(schema,
                             "select commit_no, data from ~host_outbox where shard = $1"
                             " and commit_no > $2 and last_seq > $3 order by commit_no limit $4",
                             Params(shard.number, above, acked_seq, kRecordsAtOnce));
    for (int i = 0; i < rows.size(); ++i) {
      above = rows.integer(i, 0);
      Result<journal::TailRecord> record = decode(rows.view(i, 1), shard, above);
      if (!record) return record.error();
      for (ports::OutgoingRow& row : record->commit.outgoing) {
        if (row.seq > acked_seq) outgoing.push_back(std::move(row));
      }
    }
    if (rows.size() < kRecordsAtOnce) return outgoing;
  }
}

}  // namespace host::postgres
