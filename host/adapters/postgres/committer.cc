#include "host/adapters/postgres/committer.h"

#include <algorithm>
#include <deque>
#include <numeric>

#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/reads.h"

namespace host::postgres {
namespace {

using ports::CommitResult;
using ports::ShardCommit;
using Status = CommitResult::Status;

constexpr const char* kDivisionByZero = "22012";  // of our own statements: they found no row

class Commit {
 public:
  Commit(Connection& db, const ShardCommit& commit, const CommitContext& context)
      : db_(db),
        commit_(commit),
        context_(context),
        schema_(schema_of(commit.shard.plugin)),
        now_(context.clock.now()) {}

  /// Alone in its transaction.
  CommitResult run() {
    Steps steps;
    if (!add_steps(steps)) return fenced();
    std::optional<UnitsSql> units;
    if (!commit_.units.empty()) units.emplace(UnitsSql{context_.units, commit_});
    const PipelineEnd end = carried(steps, units ? &*units : nullptr, 1);
    return end.kind == PipelineEnd::Kind::committed ? committed() : failed(end, units);
  }

  /// What it writes, but for the SQL of plugins; false: the shard is not ours. The steps borrow
  /// from it.
  bool add_steps(Steps& steps) {
    image_ = context_.images.find(commit_.shard);
    if (!image_) return false;  // never claimed here, or lost since
    changes_.emplace(image_->overlay.complete(commit_));
    if (!changes_->empty()) record_ = journal::encode(*changes_, commit_.commit_no + 1);
    if (!commit_.outgoing.empty()) {
      outbox_ = journal::encode_outgoing(commit_, commit_.commit_no + 1);
    }
    slice_ = image_->overlay.slice(image_->overlay.due(changes_->size(), now_));
    steps.push_back(fence(commit_));
    add_answers(steps, commit_, now_);
    if (!record_.empty()) {
      steps.push_back(insert_record(commit_.shard.number, commit_.commit_no + 1, record_));
    }
    add_outbox(steps, commit_, outbox_, image_->outbox.removes(commit_.acked_seq, outbox_.size()));
    add_slice(steps, commit_.shard.number, slice_);
    add_shared_rows(steps, commit_);
    return true;
  }

  /// The steps of this commit, and of the others that share its transaction.
  PipelineEnd carried(const Steps& steps, const UnitsSql* units, std::size_t commits) {
    const Stopwatch watch;
    PipelineEnd end = run_pipeline(db_, schema_, steps, units);
    observe(context_.meters.transaction, watch.seconds());
    observe(context_.meters.jobs, static_cast<double>(commits));
    return end;
  }

  CommitResult committed() {
    image_->overlay.written(slice_);
    image_->overlay.apply(*changes_, commit_.commit_no + 1, record_.size(), now_);
    image_->commit_no = commit_.commit_no + 1;
    image_->outbox.committed(commit_.acked_seq, outbox_.size());
    context_.health.set_written("");
    return {.status = Status::committed};
  }

  CommitResult away(Status status, const Failure& failure) const {
    Error error = to_error(failure, "commit of " + commit_.shard.to_string());
    error.retryable = true;
    context_.health.set_written(error.to_string());
    if (context_.meters.failures != nullptr) context_.meters.failures->add(1);
    if (context_.logger != nullptr && !is_environment(failure)) {
      // A defect of ours: a repeat will not help, and nothing is lost by it.
      context_.logger->log(ports::LogLevel::error, error.to_string());
    }
    return {.status = status, .error = std::move(error)};
  }

 private:
  CommitResult fenced() const {
    return {.status = Status::fenced,
            .error = make_error(Error::Code::fenced,
                                "shard " + commit_.shard.to_string() + " has another owner")};
  }

  CommitResult failed(const PipelineEnd& end, const std::optional<UnitsSql>& units) {
    if (end.kind == PipelineEnd::Kind::unknown) return away(Status::unknown, end.failure);
    const bool found_nothing = end.failure.is(kDivisionByZero);
    if (end.place == Step::Place::fence && found_nothing) {
      // What the commit demands is what we know, and the database knows better.
      const bool lost = commit_.epoch == image_->epoch && commit_.commit_no == image_->commit_no;
      if (lost) context_.images.drop(commit_.shard);
      return fenced();
    }
    if (end.place == Step::Place::answers && found_nothing) return answered(end.failure);
    // At COMMIT speak constraints that plugins have put off.
    const bool of_unit = end.place == Step::Place::unit || end.place == Step::Place::commit;
    const bool time_is_over = end.place == Step::Place::unit && end.failure.is(kTimeIsOver);
    if (units && of_unit && (time_is_over || !is_environment(end.failure))) {
      return sql_failed(end, *units);
    }
    // Perhaps a new one sees it differently.
    if (!is_environment(end.failure) || end.failure.is(kReadOnly)) db_.give_up();
    return away(Status::not_now, end.failure);
  }

  CommitResult answered(const Failure& failure) {
    CommitResult result{.status = Status::answered,
                        .error = make_error(Error::Code::conflict, "it was answered before")};
    for (std::size_t i = 0; i < commit_.answers.size(); ++i) {
      if (!read_answer(db_, schema_, commit_.answers[i].scope, now_)) continue;
      result.failed.emplace_back(i, result.error);
    }
    return result.failed.empty() ? away(Status::not_now, failure) : result;
  }

  CommitResult sql_failed(const PipelineEnd& end, const UnitsSql& units) {
    CommitResult result{.status = Status::sql_failed};
    result.failed = find_failing_units(db_, schema_, fence(commit_), units);
    if (result.failed.empty() && end.place == Step::Place::unit && !end.failure.is(kTimeIsOver)) {
      // Alone it does not fail: it is named all the same, or the commit would be tried for ever.
      // But for its time: the database stood still.
      const SqlStatement& statement = commit_.units[end.unit].sql.front();
      result.failed.emplace_back(
          end.unit, context_.units.explain(db_, commit_.shard.plugin, end.failure, statement));
    }
    if (result.failed.empty()) return away(Status::not_now, end.failure);
    result.error = result.failed.front().second;
    return result;
  }

  Connection& db_;
  const ShardCommit& commit_;
  const CommitContext& context_;
  const Schema schema_;
  const Time now_;
  ImagePointer image_;
  std::optional<journal::Changes> changes_;
  std::string record_;    // of the journal; empty: there is none
  std::string outbox_;    // the same
  journal::Slice slice_;  // of what lies in the overlay
};

CommitResult carry_out_alone(Connection& db, const ShardCommit& commit,
                             const CommitContext& context) {
  Commit job(db, commit, context);
  try {
    return job.run();
  } catch (const Failure& failure) {
    // COMMIT was not sent, or the transaction is known to be gone.
    return job.away(Status::not_now, failure);
  } catch (const std::exception& error) {  // no memory: who knows where
    return job.away(Status::unknown, Failure::lost(error.what()));
  }
}

/// Several in one transaction.
class Together {
 public:
  Together(Connection& db, std::span<const ShardCommit* const> commits,
           const CommitContext& context)
      : db_(db) {
    for (const ShardCommit* commit : commits) jobs_.emplace_back(db, *commit, context);
    // The rows' locks are taken in the order of the shards.
    std::vector<std::size_t> order(commits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return commits[a]->shard.number < commits[b]->shard.number;
    });
    order_ = std::move(order);
  }

  /// Nothing: nothing was written, and each is to be tried alone.
  std::optional<std::vector<CommitResult>> run() {
    try {
      Steps steps;
      for (const std::size_t i : order_) {
        if (!jobs_[i].add_steps(steps)) return std::nullopt;
      }
      const PipelineEnd end = jobs_.front().carried(steps, nullptr, jobs_.size());
      if (end.kind == PipelineEnd::Kind::committed) {
        return all([](Commit& job) { return job.committed(); });
      }
      if (end.kind == PipelineEnd::Kind::unknown) return away(Status::unknown, end.failure);
      return db_.usable() ? std::nullopt : away(Status::not_now, end.failure);
    } catch (const Failure& failure) {
      // COMMIT was not sent, or the transaction is known to be gone.
      return away(Status::not_now, failure);
    } catch (const std::exception& error) {  // no memory: who knows where
      return away(Status::unknown, Failure::lost(error.what()));
    }
  }

 private:
  template <class Result>
  std::optional<std::vector<CommitResult>> all(Result result) {
    std::vector<CommitResult> results;
    for (Commit& job : jobs_) results.push_back(result(job));
    return results;
  }
  std::optional<std::vector<CommitResult>> away(Status status, const Failure& failure) {
    return all([&](Commit& job) { return job.away(status, failure); });
  }

  Connection& db_;
  std::deque<Commit> jobs_;  // as they were given
  std::vector<std::size_t> order_;
};

}  // namespace

std::vector<CommitResult> carry_out(Connection& db, std::span<const ShardCommit* const> commits,
                                    const CommitContext& context) {
  if (commits.size() > 1) {
    if (auto results = Together(db, commits, context).run()) return std::move(*results);
  }
  std::vector<CommitResult> results;
  for (const ShardCommit* commit : commits) {
    results.push_back(carry_out_alone(db, *commit, context));
  }
  return results;
}

}  // namespace host::postgres
