#include "host/runtime/shard.h"

#include <algorithm>

namespace host::runtime {
namespace {

constexpr Duration kClaimAgain = std::chrono::seconds(1);

}  // namespace

Shard::Shard(ShardRef ref, const Environment& environment, Executor& lane, PluginCode& code,
             Lost lost)
    : ref_(std::move(ref)),
      name_(ref_.to_string()),
      env_(environment),
      lane_(lane),
      code_(code),
      dropper_(code.on_drop(
          [this](const ports::Engine* engine, bool alone) { drop_tasks(engine, alone); },
          [this] { room(); })),
      meter_(env_.metrics, ref_.plugin),
      lost_(std::move(lost)),
      alive_(std::make_shared<int>()),
      entities_(environment.limits.states_in_memory),
      timers_(environment.limits.timers_in_memory),
      outbox_(environment, lane) {
  outbox_.on_progress(
      [this] { acknowledged(); },
      [this](const ports::OutgoingRow& row, const Error& error) { refused_by_log(row, error); });
}

Shard::~Shard() {
  reset();
  code_.forget_dropper(dropper_);
}

void Shard::start() {
  if (status_ == Status::claiming || status_ == Status::running) return;
  claim();
}

void Shard::claim() {
  status_ = Status::claiming;
  claim_asked_ = true;
  env_.store.claim(ref_, lane_,
                   guarded([this](Result<ports::ShardImage> image) { claimed(std::move(image)); }));
}

void Shard::claimed(Result<ports::ShardImage> image) {
  claim_asked_ = false;
  if (status_ == Status::stopping) return check_stopped();
  if (!image) {
    reclaim(image.error());
    return;
  }
  if (image->state_version > code_.manifest().state_version) {
    halt(make_error(Error::Code::conflict,
                    "the states of " + ref_.to_string() + " have version " +
                        std::to_string(image->state_version) + ", this revision writes version " +
                        std::to_string(code_.manifest().state_version),
                    "run the newer revision of the plugin"));
    return;
  }
  ++claims_;
  env_.metrics.add("host_claims_total", 1, {{"plugin", ref_.plugin}});
  adopt(std::move(*image));
}

void Shard::adopt(ports::ShardImage image) {
  status_ = Status::running;
  why_.clear();
  epoch_ = image.epoch;
  commit_no_ = image.commit_no;
  seq_ = image.seq;
  every_next_ = std::move(image.every_next);
  for (ports::Mark& mark : image.marks) marks_[{mark.topic, mark.stream}] = mark.position;
  acked_committed_ = image.acked_seq;
  ack_due_.reset();
  outbox_.adopt(image.acked_seq, std::move(image.outgoing));
  for (ports::PendingRow& row : image.pending) take_pending(std::move(row));
  load_timer_page();
  offsets_ = std::move(image.next_offsets);
  code_changed();
}

void Shard::code_changed() {
  if (std::exchange(halted_, false)) {
    why_.clear();
    claim();
    return;
  }
  if (status_ != Status::running) return;
  const Manifest& manifest = code_.manifest();
  for (const Manifest::Subscription& entry : manifest.on) {
    const std::string topic = env_.topic_prefix + entry.topic;
    if (!inputs_.contains(topic)) resolve_start(topic, entry.from_now);
  }
  const std::string inbox = env_.topic_prefix + manifest.inbox();
  if (!inputs_.contains(inbox)) resolve_start(inbox, false);
  for (auto& [topic, input] : inputs_) {
    // What was taken from a topic that the new revision does not read is still carried out.
    input->removed = !reads(topic);
    if (input->removed) input->fetch.reset();
    fetch(*input);
  }
  schedule_every();
}

void Shard::reset() {
  alive_ = std::make_shared<int>();
  for (const ItemPtr& item : std::set<ItemPtr>(running_)) end_task(item);
  batch_.reset();
  inputs_.clear();
  waiting_.clear();
  entities_.clear();
  timers_.clear();
  every_next_.clear();
  every_running_.clear();
  every_dirty_.clear();
  marks_.clear();
  once_taken_.clear();
  pending_.clear();
  next_arrival_ = 1;
  dirty_.clear();
  loose_.clear();
  loads_payload_.clear();
  loads_once_.clear();
  loads_state_.clear();
  loads_scheduled_ = false;
  loading_ = 0;
  ready_.clear();
  draining_ready_ = false;
  room_posted_ = false;
  finished_count_ = finished_bytes_ = 0;
  sql_uncommitted_.clear();
  queries_.clear();
  reads_why_.clear();
  refused_.clear();
  outbox_.clear();
  commit_scheduled_ = false;
  wakes_.clear();
  next_wake_.reset();
  commit_at_.reset();
  ack_due_.reset();
  claim_asked_ = false;
}

void Shard::reclaim(const Error& why) {
  const bool stopping = status_ == Status::stopping;
  env_.logger.log(ports::LogLevel::warn, "the shard is claimed anew",
                  {{"shard", ref_.to_string()}, {"why", why.to_string()}});
  reset();
  why_ = why.to_string();
  if (stopping) {
    status_ = Status::stopped;
    check_stopped();
    return;
  }
  if (lost_) {
    status_ = Status::stopped;
    lost_();
    return;
  }
  status_ = Status::claiming;
  lane_.post_after(kClaimAgain, guarded([this] { claim(); }));
}

void Shard::halt(const Error& why) {
  env_.logger.log(ports::LogLevel::error, "the shard stopped",
                  {{"shard", ref_.to_string()}, {"why", why.to_string()}});
  halted_ = status_ != Status::stopping;
  reset();
  why_ = why.to_string();
  status_ = Status::stopped;
  check_stopped();
}

void Shard::stop(Time deadline, UniqueFunction<void()> done) {
  stopped_ = std::move(done);
  halted_ = false;
  // A claim that is on its way would fence the next owner, so its answer is waited for.
  if (status_ == Status::running || (claim_asked_ && lost_)) {
    status_ = Status::stopping;
    for (auto& [topic, input] : inputs_) input->fetch.reset();
    const Duration left = std::max(deadline - env_.clock.now(), Duration::zero());
    lane_.post_after(left, guarded([this] {
                       if (status_ != Status::stopping) return;
                       reset();
                       status_ = Status::stopped;
                       check_stopped();
                     }));
    schedule_commit();
  } else if (status_ != Status::stopping) {
    reset();
    status_ = Status::stopped;
  }
  check_stopped();
}

void Shard::check_stopped() {
  if (status_ == Status::stopping) {
    // What runs may finish; what is finished is committed, what was committed is sent, and the
    // store is told so: what is left of it when the time is over, the next owner sends.
    if (!running_.empty() || batch_ || commit_scheduled_ || claim_asked_) return;
    if (finished_count_ > 0 && !stuck()) return;
    if (outbox_.rows() > 0) return;
    if (outbox_.acked() > acked_committed_) {
      ack_due_ = env_.clock.now();
      return schedule_commit();
    }
    reset();
    status_ = Status::stopped;
  }
  if (status_ == Status::stopped && stopped_) lane_.post(std::move(stopped_));
}

bool Shard::stuck() const {
  // Finished messages above one that never started: they run again at the next claim.
  return std::none_of(inputs_.begin(), inputs_.end(),
                      [](const auto& entry) {
                        return !entry.second->queue.empty() &&
                               entry.second->queue.front()->phase == Item::Phase::finished;
                      }) &&
         loose_.empty();
}

Result<void> Shard::release(const std::string& message_id) {
  for (const auto& [id, item] : pending_) {
    if (!item->stopped || item->message.id != message_id) continue;
    item->stopped = false;
    item->due.reset();
    item->message.attempt = 1;
    item->row_dirty = true;
    dirty_.insert(item);
    schedule_commit();
    pump(*item);
    return {};
  }
  return make_error(Error::Code::not_found,
                    "no stopped message " + message_id + " in " + ref_.to_string());
}

std::vector<ports::DeadLetter> Shard::stopped_messages() const {
  std::vector<ports::DeadLetter> out;
  for (const auto& [id, item] : pending_) {
    if (!item->stopped) continue;
    out.push_back({.id = item->message.id,
                   .plugin = ref_.plugin,
                   .shard = ref_.number,
                   .message = item->message,
                   .reason = "stopped",
                   .error = make_error(Error::Code::script_error, item->last_error),
                   .revision = item->engine_revision,
                   .at = item->taken});
  }
  return out;
}

ShardStatus Shard::status() const {
  ShardStatus out;
  out.shard = ref_;
  out.epoch = epoch_;
  for (const auto& [topic, input] : inputs_) out.lag += input->lag();
  out.pending = pending_.size();
  for (const auto& [id, item] : pending_) {
    if (!out.oldest_pending || item->taken < *out.oldest_pending) out.oldest_pending = item->taken;
  }
  out.timers = timers_.size();
  out.outbox = outbox_.rows();
  out.unfinished = running_.size() + finished_count_;
  std::string why = why_.empty() ? reads_why_ : why_;
  if (why.empty()) why = outbox_.why();
  for (const auto& [topic, input] : inputs_) {
    if (why.empty()) why = input->why;
  }
  switch (status_) {
    case Status::idle:
      out.status = "idle";
      break;
    case Status::claiming:
      out.status = "claiming";
      break;
    case Status::running:
      out.status = why.empty() ? "running" : "waiting";
      break;
    case Status::stopping:
      out.status = "stopping";
      break;
    case Status::stopped:
      out.status = "stopped";
      break;
  }
  if (!why.empty()) out.status += ": " + why;
  return out;
}

}  // namespace host::runtime
