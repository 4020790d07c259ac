#include "host/adapters/postgres/images.h"

#include <algorithm>

namespace host::postgres {
namespace {

// A tail may be 64 MB: it comes in parts, so that it is not in memory twice.
constexpr std::int64_t kRecordsAtOnce = 200;

void take_outgoing(std::vector<ports::OutgoingRow>& from, std::int64_t acked_seq,
                   std::vector<ports::OutgoingRow>& to) {
  std::copy_if(std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()),
               std::back_inserter(to),
               [&](const ports::OutgoingRow& row) { return row.seq > acked_seq; });
}

}  // namespace

Result<void> read_tail(Connection& db, const Schema& schema, const ShardRef& shard,
                       std::int64_t above, journal::Overlay& overlay, std::int64_t acked_seq,
                       std::vector<ports::OutgoingRow>* outgoing) {
  while (true) {
    const Rows rows = db.run(schema,
                             "select commit_no, data from ~host_journal where shard = $1"
                             " and commit_no > $2 order by commit_no limit $3",
                             Params(shard.number, above, kRecordsAtOnce));
    for (int i = 0; i < rows.size(); ++i) {
      above = rows.integer(i, 0);
      Result<journal::TailRecord> record = journal::decode(rows.view(i, 1), shard, above);
      if (!record) {
        Error error = record.error();
        if (error.code == Error::Code::corrupt) error.hint = "restore the database from a backup";
        return error;
      }
      const journal::Changes changes{.commit = record->commit,
                                     .pending = std::move(record->pending),
                                     .timers_ended = std::move(record->timers_ended),
                                     .with_outgoing = true};
      overlay.apply(changes, above, rows.view(i, 1).size(), Time{});
      if (outgoing != nullptr) take_outgoing(record->commit.outgoing, acked_seq, *outgoing);
    }
    if (rows.size() < kRecordsAtOnce) return {};
  }
}

}  // namespace host::postgres
