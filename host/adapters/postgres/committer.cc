#include "host/adapters/postgres/committer.h"

#include <algorithm>

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

  CommitResult run() {
    image_ = context_.images.find(commit_.shard);
    if (!image_) return fenced();  // never claimed here, or lost since
    const journal::Changes changes = image_->overlay.complete(commit_);
    const std::string record =
        changes.empty() ? std::string() : journal::encode(changes, commit_.commit_no + 1);
    const std::string outbox = commit_.outgoing.empty()
                                   ? std::string()
                                   : journal::encode_outgoing(commit_, commit_.commit_no + 1);
    const journal::Slice slice = image_->overlay.slice(image_->overlay.due(changes.size(), now_));

    Steps steps;
    steps.push_back(fence(commit_));
    add_answers(steps, commit_, now_);
    if (!record.empty()) {
      steps.push_back(insert_record(commit_.shard.number, commit_.commit_no + 1, record));
    }
    add_outbox(steps, commit_, outbox, image_->acked_seq);
    add_slice(steps, commit_.shard.number, slice);
    add_shared_rows(steps, commit_);
    std::optional<UnitsSql> units;
    if (!commit_.units.empty()) units.emplace(UnitsSql{context_.units, commit_});

    const Stopwatch watch;
    const PipelineEnd end = run_pipeline(db_, schema_, steps, units ? &*units : nullptr);
    observe(context_.meters.transaction, watch.seconds());
    if (end.kind != PipelineEnd::Kind::committed) return failed(end, units);
    image_->overlay.written(slice);
    image_->overlay.apply(changes, commit_.commit_no + 1, record.size(), now_);
    image_->commit_no = commit_.commit_no + 1;
    image_->acked_seq = std::max(image_->acked_seq, commit_.acked_seq);
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
    const bool time_is_over = end.place == Step::Place::unit && end.failure.is("57014");
    if (units && of_unit && (time_is_over || !is_environment(end.failure))) {
      return sql_failed(end, *units);
    }
    if (!is_environment(end.failure)) db_.give_up();  // perhaps a new one sees it differently
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
    if (result.failed.empty() && end.place == Step::Place::unit) {
      // Alone it does not fail: it is named all the same, or the commit would be tried for ever.
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
};

}  // namespace

CommitResult carry_out(Connection& db, const ShardCommit& commit, const CommitContext& context) {
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

}  // namespace host::postgres
