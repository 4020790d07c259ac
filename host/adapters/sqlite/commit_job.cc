#include <algorithm>
#include <map>
#include <numeric>

#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/record_batch.h"
#include "host/adapters/sqlite/rows.h"

namespace host::sqlite {
namespace {

using ports::CommitResult;
using ports::ShardCommit;

/// Demands epoch and commit number; 0: somebody else owns the shard.
std::int64_t fence(Connection& db, const ShardCommit& c) {
#ifdef HOST_SABOTAGE_NO_FENCE
  Statement row = db.query(
      "update host_shard set commit_no = commit_no + 1, seq = ?, acked_seq = ?,"
      " state_version = max(state_version, ?), claims = 0, suspect = null"
      " where plugin = ? and number = ? returning id",
      c.seq, c.acked_seq, c.state_version, c.shard.plugin, c.shard.number);
#else
  Statement row = db.query(
      "update host_shard set commit_no = commit_no + 1, seq = ?, acked_seq = ?,"
      " state_version = max(state_version, ?), claims = 0, suspect = null"
      " where plugin = ? and number = ? and epoch = ? and commit_no = ? returning id",
      c.seq, c.acked_seq, c.state_version, c.shard.plugin, c.shard.number, c.epoch, c.commit_no);
#endif
  if (!row.step()) return 0;
  const std::int64_t id = row.integer(0);
  row.run();
  return id;
}

void write_states(Connection& db, std::int64_t shard, const ShardCommit& c) {
  // In key order, for the pages' sake; stable, so that the later entry of a key wins.
  std::vector<std::size_t> order(c.states.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return c.states[a].first < c.states[b].first;
  });
  for (const std::size_t i : order) {
    const auto& [key, row] = c.states[i];
    if (!row.bytes && !row.quiet_until) {
      db.run("delete from host_state where shard = ? and key = ?", shard, key);
      continue;
    }
    const std::optional<Blob> bytes = row.bytes ? std::optional(Blob{*row.bytes}) : std::nullopt;
    db.run(
        "insert into host_state (shard, key, bytes, version, quiet_until) values (?, ?, ?, ?, ?)"
        " on conflict (shard, key) do update set bytes = excluded.bytes,"
        " version = excluded.version, quiet_until = excluded.quiet_until",
        shard, key, bytes, row.version, row.quiet_until);
  }
}

void write_pending(Connection& db, std::int64_t shard, const ShardCommit& c) {
  for (const ports::PendingRow& row : c.pending_put) {
    const Message& message = row.message;
    // A row that is known keeps its message: who put it again may hold it without the payload.
    db.run(
        "insert into host_pending (shard, id, key, kind, message_id, topic, payload, headers,"
        " time, attempt, due, stopped, last_error) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (shard, id) do update set attempt = excluded.attempt, due = excluded.due,"
        " stopped = excluded.stopped, last_error = excluded.last_error",
        shard, row.id, message.key, static_cast<int>(message.kind), message.id, message.topic,
        Blob{message.payload}, Blob{encode_pairs(message.headers)}, message.time, message.attempt,
        row.due, row.stopped ? 1 : 0, row.last_error);
  }
  for (const std::int64_t id : c.pending_remove) {
    db.run("delete from host_pending where shard = ? and id = ?", shard, id);
  }
}

/// What fired and what is forgotten goes before what this commit sets.
void write_timers(Connection& db, std::int64_t shard, const ShardCommit& c) {
  for (const std::string& id : c.timers_fired) {
    db.run("delete from host_timer where shard = ? and id = ?", shard, id);
  }
  for (const std::string& key : c.forget_timers) {
    db.run("delete from host_timer where shard = ? and key = ?", shard, key);
  }
  for (const auto& [key, change] : c.timers) {
    if (const auto* set = std::get_if<TimerSet>(&change)) {
      db.run(
          "insert or replace into host_timer (shard, id, name, key, due, payload, headers)"
          " values (?, ?, ?, ?, ?, ?, ?)",
          shard, set->id, set->name, key, set->due, Blob{set->payload},
          Blob{encode_pairs(set->headers)});
    } else {
      const std::string& which = std::get<TimerCancel>(change).id_or_name;
      db.run("delete from host_timer where shard = ?1 and key = ?2 and (id = ?3 or name = ?3)",
             shard, key, which);
    }
  }
}

void write_rest(Connection& db, std::int64_t shard, const ShardCommit& c, Time now) {
  for (const auto& [topic, next] : c.next_offsets) {
    db.run(
        "insert into host_shard_offset (shard, topic, next) values (?, ?, ?)"
        " on conflict (shard, topic) do update set next = excluded.next",
        shard, topic, next);
  }
  for (const auto& [name, due] : c.every_next) {
    db.run("insert or replace into host_every_next (shard, name, due) values (?, ?, ?)", shard,
           name, due);
  }
  for (const auto& [id, until] : c.once_seen) {
    db.run("insert or replace into host_once_seen (shard, id, until) values (?, ?, ?)", shard,
           Blob{id}, until);
  }
  for (const ports::Mark& mark : c.marks) {
    db.run(
        "insert or replace into host_mark (shard, topic, partition, stream, epoch, seq)"
        " values (?, ?, ?, ?, ?, ?)",
        shard, mark.topic, mark.partition, mark.stream, mark.position.epoch, mark.position.seq);
  }
  for (const std::string& id : c.dead_remove) {
    db.run("delete from host_dead_letter where plugin = ? and id = ?", c.shard.plugin, id);
  }
  for (const ports::DeadLetter& letter : c.dead) insert_dead_letter(db, letter);
  for (const ports::Reply& reply : c.replies) {
    db.run("insert or replace into host_reply (ask_id, payload, created) values (?, ?, ?)",
           reply.ask_id, Blob{reply.payload}, now);
  }
}

/// A message that the log refuses for good becomes a dead letter of who sent it.
ports::DeadLetter refused(const ShardCommit& c, const ports::OutgoingRow& row, Error why,
                          Time now) {
  const ports::Append& record = row.record;
  const std::string* id = find_header(record.headers, header::kId);
  const std::string* revision = find_header(record.headers, header::kRevision);
  ports::DeadLetter letter{.id = id != nullptr
                                     ? *id
                                     : c.shard.to_string() + "/" + std::to_string(row.epoch) + "-" +
                                           std::to_string(row.seq),
                           .plugin = c.shard.plugin,
                           .shard = c.shard.number,
                           .message = {},
                           .reason = "refused",
                           .error = std::move(why),
                           .revision = revision != nullptr ? *revision : "",
                           .at = now};
  letter.message = Message{.kind = Message::Kind::record,
                           .id = letter.id,
                           .topic = record.topic,
                           .key = record.key,
                           .payload = record.payload,
                           .headers = record.headers,
                           .time = now,
                           .attempt = 1};
  return letter;
}

void write_outgoing(Round& round, const ShardCommit& c) {
  for (const ports::OutgoingRow& row : c.outgoing) {
    if (const Result<void> fine = round.log.check(row.record); !fine) {
      insert_dead_letter(round.db, refused(c, row, fine.error(), round.now));
    } else {
      round.log.append(row.record);
    }
  }
}

class CommitJob final : public WriteJob {
 public:
  CommitJob(std::shared_ptr<const ShardCommit> commit, PluginSql& sql, Executor& executor,
            UniqueFunction<void(CommitResult)> callback)
      : shared_(std::move(commit)),
        commit_(*shared_),
        bytes_(commit_.bytes() + 200),
        sql_(sql),
        executor_(executor),
        callback_(std::move(callback)) {}

  std::size_t bytes() const override { return bytes_; }
  bool repeats() const override { return true; }

  Result<void> apply(Round& round) override {
    fenced_ = false;
    const std::int64_t shard = fence(round.db, commit_);
    if (shard == 0) {
      fenced_ = true;
      return make_error(Error::Code::fenced,
                        "shard " + commit_.shard.to_string() + " has another owner");
    }
    if (overran_) return first_failure();
    write_states(round.db, shard, commit_);
    write_pending(round.db, shard, commit_);
    write_timers(round.db, shard, commit_);
    write_rest(round.db, shard, commit_, round.now);
    write_outgoing(round, commit_);
    for (std::size_t i = 0; i < commit_.units.size(); ++i) {
      if (!run_unit(round.db, i)) return first_failure();  // the transaction is gone
      if (overran_) break;
    }
    if (!failed_.empty()) return first_failure();
    return {};
  }

  void finish(Ending ending) override {
    CommitResult result{.status = status(ending.kind), .error = std::move(ending.error)};
    if (result.status == CommitResult::Status::sql_failed) {
      for (auto& [unit, error] : failed_) result.failed.emplace_back(unit, std::move(error));
    }
    executor_.post([callback = std::move(callback_), result = std::move(result)]() mutable {
      callback(std::move(result));
    });
  }

 private:
  /// Under a savepoint of its own, so that the units after a failing one show what they are worth.
  /// False: SQLite ended the whole transaction; the repeated round leaves this unit out.
  bool run_unit(Connection& db, std::size_t i) {
    if (failed_.contains(i)) return true;
    db.run("savepoint unit");
    for (const SqlStatement& statement : commit_.units[i].sql) {
      Result<void> done = sql_.exec(commit_.shard.plugin, statement);
      if (done) continue;
      Error error = done.error();
      error.file = statement.file;
      error.line = statement.line;
      overran_ = overran_ || error.code == Error::Code::exhausted;
      failed_.emplace(i, std::move(error));
      if (!db.in_transaction()) return false;
      db.run("rollback to unit");
      break;
    }
    db.run("release unit");
    return true;
  }

  Error first_failure() const { return failed_.begin()->second; }

  CommitResult::Status status(Ending::Kind kind) const {
    switch (kind) {
      case Ending::Kind::committed:
        return CommitResult::Status::committed;
      case Ending::Kind::rolled_back:
        return CommitResult::Status::not_now;
      case Ending::Kind::unknown:
        return CommitResult::Status::unknown;
      case Ending::Kind::refused:
        break;
    }
    if (fenced_) return CommitResult::Status::fenced;
    return failed_.empty() ? CommitResult::Status::not_now : CommitResult::Status::sql_failed;
  }

  std::shared_ptr<const ShardCommit> shared_;
  const ShardCommit& commit_;
  std::size_t bytes_;
  PluginSql& sql_;
  Executor& executor_;
  UniqueFunction<void(CommitResult)> callback_;
  bool fenced_ = false;
  // A unit used up its time. The units after it are not tried: hundreds such would hold up the
  // commits of all plugins for as many times 50 ms. They are tried with the next commit.
  bool overran_ = false;
  std::map<std::size_t, Error> failed_;  // by unit; kept when the round is repeated
};

}  // namespace

std::unique_ptr<WriteJob> make_commit_job(std::shared_ptr<const ShardCommit> commit, PluginSql& sql,
                                          Executor& executor,
                                          UniqueFunction<void(CommitResult)> callback) {
  return std::make_unique<CommitJob>(std::move(commit), sql, executor, std::move(callback));
}

}  // namespace host::sqlite
