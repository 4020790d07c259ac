#include "host/runtime/door.h"

#include <algorithm>
#include <iterator>

#include "host/runtime/records.h"
#include "host/runtime/sabotage.h"

namespace host::runtime {
namespace {

constexpr Duration kClaimAgain = std::chrono::seconds(1);
constexpr std::size_t kMostWaiting = 1'000;

std::size_t size_of(const Emit& emit) { return emit.payload.size() + 200; }

}  // namespace

Door::Door(ShardRef ref, const Environment& environment, Executor& lane, Lost lost)
    : ref_(std::move(ref)),
      env_(environment),
      lane_(lane),
      lost_(std::move(lost)),
      outbox_(environment, lane),
      sent_(environment.metrics, ref_.plugin, Traffic::Way::sent) {
  outbox_.on_progress(
      [this] {
        submit();
        check_stopped();
      },
      [this](const ports::OutgoingRow& row, const Error& error) {
        ports::DeadLetter letter;
        letter.id =
            ref_.to_string() + "/" + std::to_string(row.epoch) + "-" + std::to_string(row.seq);
        letter.plugin = ref_.plugin;
        letter.shard = ref_.number;
        letter.message.id = letter.id;
        letter.message.topic = row.record.topic;
        letter.message.key = row.record.key;
        letter.message.payload = row.record.payload;
        letter.message.headers = row.record.headers;
        letter.reason = "refused";
        letter.error = error;
        letter.at = env_.clock.now();
        refused_.push_back(std::move(letter));
      });
}

Door::~Door() { alive_.reset(); }

void Door::start() { claim(); }

void Door::start(ShardRef ref) {
  close();
  ref_ = std::move(ref);
  claim();
}

void Door::claim() {
  running_ = false;
  claim_asked_ = true;
  env_.store.claim(ref_, lane_,
                   [this, alive = std::weak_ptr<int>(alive_)](Result<ports::ShardImage> image) {
                     if (!alive.expired()) claimed(std::move(image));
                   });
}

void Door::claimed(Result<ports::ShardImage> image) {
  claim_asked_ = false;
  if (image) {
    epoch_ = image->epoch;
    commit_no_ = image->commit_no;
    seq_ = image->seq;
    acked_committed_ = image->acked_seq;
    running_ = true;
    outbox_.adopt(image->acked_seq, std::move(image->outgoing));
    submit();
    return check_stopped();
  }
  // Who waits is told now; nothing of it was sent.
  refuse_waiting(
      retryable_error(Error::Code::unavailable, image.error().message, image.error().hint));
  if (stopping_) return end_stop(false);
  if (lost_) return lost_();
  lane_.post_after(kClaimAgain, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) claim();
  });
}

void Door::refuse_waiting(const Error& error) {
  waiting_bytes_ = 0;
  for (Waiting& next : std::exchange(waiting_, {})) next.callback(error);
}

void Door::stop(Time deadline, Stopped done) {
  stopping_ = true;
  stopped_ = std::move(done);
  const Duration left = std::max(deadline - env_.clock.now(), Duration::zero());
  lane_.post_after(left, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired() && stopping_) end_stop(false);
  });
  // Not inside the call.
  lane_.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) check_stopped();
  });
}

void Door::check_stopped() {
  if (!stopping_ || claim_asked_ || scheduled_ || commit_) return;
  if (!running_) return end_stop(false);
  if (!waiting_.empty() || outbox_.rows() > 0) return;
  if (outbox_.acked() > acked_committed_ || !refused_.empty()) return submit();
  end_stop(true);
}

void Door::end_stop(bool clean) {
  Stopped done = std::exchange(stopped_, nullptr);
  close();
  if (done) done(clean);
}

void Door::close() {
  alive_ = std::make_shared<int>();
  running_ = claim_asked_ = stopping_ = scheduled_ = false;
  stopped_ = nullptr;
  outbox_.clear();
  refused_.clear();
  commit_.reset();
  refuse_waiting(
      retryable_error(Error::Code::unavailable, "the door was closed", "try again in a second"));
  fail_all(make_error(Error::Code::timeout, "whether it was sent is unknown: the door was closed"));
}

void Door::send(std::vector<Emit> emits, Headers headers, std::optional<ports::KeptAnswer> answer,
                Callback callback) {
  std::size_t bytes = answer ? answer->response.body.size() : 0;
  for (const Emit& emit : emits) bytes += size_of(emit);
  const bool crowded = waiting_.size() >= kMostWaiting ||
                       (!waiting_.empty() && waiting_bytes_ + bytes > env_.limits.outbox_bytes);
  if (!open() || crowded) {
    lane_.post([callback = std::move(callback)]() mutable {
      callback(retryable_error(Error::Code::unavailable, "the log or the store is behind",
                               "try again in a second"));
    });
    return;
  }
  waiting_bytes_ += bytes;
  waiting_.push_back(
      {std::move(emits), std::move(headers), std::move(answer), std::move(callback), bytes});
  if (scheduled_) return;
  scheduled_ = true;
  lane_.post([this, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    submit();
    check_stopped();
  });
}

ports::Append Door::record_of(const Emit& emit, const Headers& headers, std::int64_t seq) const {
  ports::Append record = make_record(env_, emit, headers, seq);
  const std::string place = std::to_string(epoch_) + "-" + std::to_string(seq);
  set_header(record.headers, header::kId, ref_.to_string() + "/" + place);
  if (!env_.log.shares_store()) {
    set_header(record.headers, header::kOrigin,
               env_.identity.database + "/" + ref_.to_string() + "/" + place);
  }
  return record;
}

void Door::submit() {
  if (!running_ || commit_) return;
  auto commit = std::make_shared<ports::ShardCommit>();
  commit->shard = ref_;
  commit->epoch = epoch_;
  commit->commit_no = commit_no_;
  std::size_t bytes = 0;
  while (!waiting_.empty() && bytes < env_.limits.batch_bytes) {
    Waiting& next = waiting_.front();
    for (const Emit& emit : next.emits) {
      ++seq_;
      bytes += size_of(emit);
      commit->outgoing.push_back({epoch_, seq_, record_of(emit, next.headers, seq_)});
    }
    if (next.answer) {
      bytes += next.answer->response.body.size();
      if (!sabotage::kAnswerNotKept) commit->answers.push_back(*next.answer);
    }
    waiting_bytes_ -= next.bytes;
    in_flight_.push_back(std::move(next));
    waiting_.pop_front();
  }
  commit->dead = std::exchange(refused_, {});
  commit->seq = seq_;
  commit->acked_seq = outbox_.acked();
  // The watermark alone is no reason to commit: it rides on the next one, and a claim that finds
  // acknowledged rows sends them again, which their receivers drop.
  const bool acknowledge = stopping_ && outbox_.rows() == 0 && outbox_.acked() > acked_committed_;
  if (commit->outgoing.empty() && commit->dead.empty() && commit->answers.empty() && !acknowledge) {
    return;
  }
  commit_ = std::move(commit);
  commit_again();
}

void Door::commit_again() {
  env_.store.commit(commit_, lane_,
                    [this, alive = std::weak_ptr<int>(alive_)](ports::CommitResult result) {
                      if (!alive.expired()) settle(std::move(result));
                    });
}

void Door::settle(ports::CommitResult result) {
  using Status = ports::CommitResult::Status;
  if (result.status == Status::committed) {
    ++commit_no_;
    const std::shared_ptr<ports::ShardCommit> commit = std::exchange(commit_, nullptr);
    acked_committed_ = commit->acked_seq;
    for (const ports::OutgoingRow& row : commit->outgoing) {
      sent_.count(row.record.topic, row.record.payload.size());
    }
    sent_.flush();
    if (!env_.log.shares_store()) outbox_.add(std::move(commit->outgoing));
    for (Waiting& done : std::exchange(in_flight_, {})) done.callback({});
    submit();
    return check_stopped();
  }
  const std::shared_ptr<ports::ShardCommit> commit = std::exchange(commit_, nullptr);
  if (result.status == Status::answered) {
    take_back(*commit);
    return answered_before(std::move(result));
  }
  if (result.status == Status::not_now) {
    take_back(*commit);
    lane_.post_after(env_.limits.retry_commit, [this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      submit();
      check_stopped();
    });
  } else {
    // What the log refused is in the claimed image again, or its dead letter is.
    refused_.clear();
    outbox_.clear();
    running_ = false;
    if (!lost_) claim();
  }
  const bool lost = !running_ && lost_;
  fail_all(
      result.status == Status::unknown
          ? make_error(Error::Code::timeout,
                       "whether it was sent is unknown: " + result.error.message)
          : retryable_error(Error::Code::unavailable, result.error.message, result.error.hint));
  if (lost) return stopping_ ? end_stop(false) : lost_();
}

/// What was not written is as if it had never been asked for.
void Door::take_back(const ports::ShardCommit& commit) {
  refused_.insert(refused_.begin(), commit.dead.begin(), commit.dead.end());
  seq_ -= static_cast<std::int64_t>(commit.outgoing.size());
}

/// Those whose request somebody else has answered are told so, the others go again.
void Door::answered_before(ports::CommitResult result) {
  std::vector<Waiting> all = std::exchange(in_flight_, {});
  std::size_t answer = 0;
  std::vector<Waiting> again;
  for (Waiting& next : all) {
    const std::size_t index = next.answer ? answer++ : SIZE_MAX;
    const auto failed = std::find_if(result.failed.begin(), result.failed.end(),
                                     [&](const auto& entry) { return entry.first == index; });
    if (failed != result.failed.end()) {
      next.callback(std::move(failed->second));
    } else {
      again.push_back(std::move(next));
    }
  }
  for (Waiting& next : again) waiting_bytes_ += next.bytes;
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  submit();
}

void Door::fail_all(const Error& error) {
  for (Waiting& failed : std::exchange(in_flight_, {})) failed.callback(error);
}

}  // namespace host::runtime
