#include <map>
#include <optional>

#include "host/adapters/sqlite/image_tables.h"
#include "host/adapters/sqlite/jobs.h"
#include "host/adapters/sqlite/rows.h"
#include "host/base/check.h"

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

/// What others must see at once is written as rows.
void write_shared_rows(Connection& db, const ShardCommit& c) {
  for (const std::string& id : c.dead_remove) {
    db.run("delete from host_dead_letter where plugin = ? and id = ?", c.shard.plugin, id);
  }
  for (const ports::DeadLetter& letter : c.dead) insert_dead_letter(db, letter);
  for (const ports::Reply& reply : c.replies) {
    db.run("insert or replace into host_reply (ask_id, payload, until) values (?, ?, ?)",
           reply.ask_id, Blob{reply.payload}, reply.until);
  }
  for (const ports::KeptAnswer& answer : c.answers) insert_answer(db, c.shard.plugin, answer);
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
  CommitJob(std::shared_ptr<const ShardCommit> commit, Overlays& overlays, PluginSql& sql,
            Executor& executor, UniqueFunction<void(CommitResult)> callback)
      : shared_(std::move(commit)),
        commit_(*shared_),
        bytes_(commit_.bytes() + 200),
        overlays_(overlays),
        sql_(sql),
        executor_(executor),
        callback_(std::move(callback)) {}

  std::size_t bytes() const override { return bytes_; }
  bool repeats() const override { return true; }
  const ShardRef* shard() const override { return &commit_.shard; }

  Result<void> apply(Round& round) override {
    fenced_ = false;
    const std::int64_t shard = fence(round.db, commit_);
    if (shard == 0) {
      fenced_ = true;
      return make_error(Error::Code::fenced,
                        "shard " + commit_.shard.to_string() + " has another owner");
    }
    if (overran_) return first_failure();
    find_answered(round);
    if (!answered_.empty()) return answered_.front().second;
    Result<Image> image = overlays_.find(commit_.shard);
    if (!image) return image.error();
    overlay_ = std::move(image->overlay);
    HOST_CHECK(overlay_ != nullptr, "a shard that was claimed has an overlay");
    write_image(round, shard);
    write_shared_rows(round.db, commit_);
    write_outgoing(round, commit_);
    for (std::size_t i = 0; i < commit_.units.size(); ++i) {
      if (!run_unit(round.db, i)) return first_failure();  // the transaction is gone
      if (overran_) break;
    }
    if (!failed_.empty()) return first_failure();
    return {};
  }

  void committed() override {
    overlay_->written(slice_);
    overlay_->apply(*changes_, commit_.commit_no + 1, record_bytes_, at_);
  }

  void finish(Ending ending) override {
    CommitResult result{.status = status(ending.kind), .error = std::move(ending.error)};
    if (result.status == CommitResult::Status::sql_failed) {
      for (auto& [unit, error] : failed_) result.failed.emplace_back(unit, std::move(error));
    } else if (result.status == CommitResult::Status::answered) {
      result.failed = std::move(answered_);
    }
    executor_.post([callback = std::move(callback_), result = std::move(result)]() mutable {
      callback(std::move(result));
    });
  }

 private:
  /// Requests of this commit that another one answered.
  void find_answered(Round& round) {
    answered_.clear();
    for (std::size_t i = 0; i < commit_.answers.size(); ++i) {
      if (!read_answer(round.db, commit_.shard.plugin, commit_.answers[i].scope, round.now)) {
        continue;
      }
      answered_.emplace_back(i, make_error(Error::Code::conflict, "it was answered before"));
    }
  }

  /// The journal record of this commit, and a slice of what earlier ones left behind.
  void write_image(Round& round, std::int64_t shard) {
    changes_.emplace(overlay_->complete(commit_));
    at_ = round.now;
    record_bytes_ = 0;
    if (!changes_->empty()) {
      const std::string record = journal::encode(*changes_, commit_.commit_no + 1);
      record_bytes_ = record.size();
      insert_record(round.db, shard, commit_.commit_no + 1, record);
    }
    slice_ = overlay_->slice(overlay_->due(changes_->size(), round.now));
    write_slice(round.db, shard, slice_);
  }

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
    if (!answered_.empty()) return CommitResult::Status::answered;
    return failed_.empty() ? CommitResult::Status::not_now : CommitResult::Status::sql_failed;
  }

  std::shared_ptr<const ShardCommit> shared_;
  const ShardCommit& commit_;
  std::size_t bytes_;
  Overlays& overlays_;
  PluginSql& sql_;
  Executor& executor_;
  UniqueFunction<void(CommitResult)> callback_;
  std::shared_ptr<journal::Overlay> overlay_;
  std::optional<journal::Changes> changes_;
  std::size_t record_bytes_ = 0;
  Time at_{};
  journal::Slice slice_;
  bool fenced_ = false;
  // A unit used up its time. The units after it are not tried: hundreds such would hold up the
  // commits of all plugins for as many times 50 ms. They are tried with the next commit.
  bool overran_ = false;
  std::map<std::size_t, Error> failed_;                  // by unit; kept when the round is repeated
  std::vector<std::pair<std::size_t, Error>> answered_;  // by answer
};

}  // namespace

std::unique_ptr<WriteJob> make_commit_job(std::shared_ptr<const ShardCommit> commit,
                                          Overlays& overlays, PluginSql& sql, Executor& executor,
                                          UniqueFunction<void(CommitResult)> callback) {
  return std::make_unique<CommitJob>(std::move(commit), overlays, sql, executor,
                                     std::move(callback));
}

}  // namespace host::sqlite
