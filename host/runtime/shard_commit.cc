// How a shard's work becomes visible: the longest prefix of what is finished or parked goes into
// one commit, one at a time, and the store's answer is carried out.
#include <algorithm>

#include "host/base/check.h"
#include "host/runtime/asks.h"
#include "host/runtime/records.h"
#include "host/runtime/sabotage.h"
#include "host/runtime/shard.h"

namespace host::runtime {

void Shard::schedule_commit() {
  if (commit_scheduled_ || batch_) return;
  commit_scheduled_ = true;
  // Behind what is queued on the lane now: what becomes ready with it rides along.
  lane_.post(guarded([this] {
    commit_scheduled_ = false;
    try_commit();
    check_stopped();
  }));
}

void Shard::commit_at(Time when) {
  if (commit_at_ && *commit_at_ <= when) return;
  commit_at_ = when;
  const Duration delay = std::max(when - env_.clock.now(), Duration::zero());
  lane_.post_after(delay, guarded([this, when] {
                     if (commit_at_ != when) return;
                     commit_at_.reset();
                     schedule_commit();
                   }));
}

void Shard::acknowledged() {
  acknowledge_later();
  pump_waiting();
}

void Shard::acknowledge_later() {
  if (outbox_.acked() <= acked_committed_) return;
  if (!ack_due_) ack_due_ = env_.clock.now() + env_.limits.acknowledge_within;
  commit_at(*ack_due_);
}

void Shard::try_commit() {
  if (batch_ || (status_ != Status::running && status_ != Status::stopping)) return;
  Batch batch = collect();
  const bool acknowledge =
      outbox_.acked() > acked_committed_ && ack_due_ && *ack_due_ <= env_.clock.now();
  if (batch.commit->empty() && !acknowledge) {
    acknowledge_later();
    return;
  }
  batch_ = std::move(batch);
  submit();
}

bool Shard::full(const Batch& batch) const {
  return batch.finished.size() + batch.parked.size() >= env_.limits.batch_messages ||
         batch.bytes >= env_.limits.batch_bytes;
}

Batch Shard::collect() {
  Batch batch;
  batch.begun = env_.clock.now();
  batch.seq_before = seq_;
  ports::ShardCommit& commit = *batch.commit;
  commit.shard = ref_;
  commit.epoch = epoch_;
  commit.commit_no = commit_no_;
  commit.state_version = code_.manifest().state_version;
  // First, as later entries win: one that ran already says when it is due again.
  for (const std::string& name : every_dirty_) {
    commit.every_next.emplace_back(name, every_next_.at(name));
  }
  // A unit may wait for one of its key in another topic, so the inputs are gone through until
  // nothing more fits: a key's units are committed in the order in which they were executed.
  for (bool progress = true; progress && !full(batch);) {
    progress = false;
    for (auto& [topic, input] : inputs_) collect_input(batch, *input, progress);
    for (const ItemPtr& item : loose_) {
      if (full(batch)) break;
      if (!item->in_batch && collect_finished(batch, item)) progress = true;
    }
  }
  collect_dirty(batch);
  collect_offsets(batch);
  commit.dead.insert(commit.dead.end(), refused_.begin(), refused_.end());
  batch.refused = refused_.size();
  commit.seq = seq_;
  commit.acked_seq = outbox_.acked();
  return batch;
}

void Shard::collect_input(Batch& batch, TopicInput& input, bool& progress) {
  std::size_t& count = batch.passed[&input];
  for (; count < input.queue.size() && !full(batch); ++count) {
    const ItemPtr& item = input.queue[count];
    if (item->phase == Item::Phase::finished) {
      if (!collect_finished(batch, item)) return;
    } else if (may_park(batch, *item)) {
      park(batch, item);
    } else if (sabotage::kOffsetBeforeWork) {
      item->passed = true;
    } else {
      // Past its time it waits for a limit of pending rows, and those end by a commit.
      const Time when = item->taken + env_.limits.park_after;
      if (when > env_.clock.now()) commit_at(when);
      return;
    }
    passed(batch, item);
    progress = true;
  }
}

bool Shard::may_park(const Batch& batch, const Item& item) const {
  const Mailbox& box = boxes_.at(item.box);
  if (pending_.size() + batch.parked.size() >= env_.limits.pending_a_shard) return false;
  if (box.pending + box.parking >= env_.limits.pending_a_key) return false;
  if (!item.once_id.empty() && !item.once_checked) return false;  // its row would hide the answer
  if (item.park_now || item.row_dirty) return true;
  const Item& head = *box.queue.front();
  if (&head != &item && (head.pending_id != 0 || head.row_dirty)) return true;  // it blocks the key
  return item.taken + env_.limits.park_after <= env_.clock.now();
}

void Shard::park(Batch& batch, const ItemPtr& item) {
  item->pending_id = item->arrival;  // so that rows ascend in the order of their key
  item->row_dirty = false;
  item->in_batch = item->parking = true;
  ++boxes_.at(item->box).parking;
  batch.bytes += item->message.payload.size() + 200;
  batch.parked.push_back(item);
  batch.commit->pending_put.push_back({.id = item->pending_id,
                                       .message = item->message,
                                       .due = item->due,
                                       .stopped = item->stopped,
                                       .last_error = item->last_error});
}

void Shard::passed(Batch& batch, const ItemPtr& item) {
  if (!item->once_id.empty()) {
    batch.commit->once_seen.emplace_back(item->once_id, item->once_until);
  }
  if (!item->origin) return;
  const auto place = std::pair(item->input->topic, item->origin->stream);
  auto& marks = batch.commit->marks;
  const auto [entry, fresh] = batch.mark_index.try_emplace(place, marks.size());
  if (fresh) {
    marks.push_back({place.first, ref_.number, place.second, item->origin->position});
  } else {
    marks[entry->second].position = item->origin->position;
  }
}

void Shard::collect_dirty(Batch& batch) {
  for (const ItemPtr& item : dirty_) {
    if (item->in_batch || item->phase == Item::Phase::finished) continue;
    if (item->pending_id == 0) {
      // A timer or an every that failed: from now on it is a pending message of its key.
      add_source(batch, item);
      park(batch, item);
      continue;
    }
    item->row_dirty = false;
    item->in_batch = true;
    batch.updated.push_back(item);
    batch.commit->pending_put.push_back({.id = item->pending_id,
                                         .message = item->message,
                                         .due = item->due,
                                         .stopped = item->stopped,
                                         .last_error = item->last_error});
  }
}

void Shard::collect_offsets(Batch& batch) {
  for (auto& [topic, input] : inputs_) {
    const Offset next = input->next(batch.passed[input.get()]);
    if (next != input->committed) batch.commit->next_offsets.emplace_back(topic, next);
  }
}

bool Shard::collect_finished(Batch& batch, const ItemPtr& item) {
  Mailbox& box = boxes_.at(item->box);
  if (box.finished[box.batched] != item) return false;
  ++box.batched;
  item->in_batch = true;
  batch.finished.push_back(item);
  add_source(batch, item);
  add_state(batch, item);
  add_emits(batch, item);
  add_unit(batch, item);
  return true;
}

void Shard::add_source(Batch& batch, const ItemPtr& item) {
  ports::ShardCommit& commit = *batch.commit;
  if (item->pending_id != 0) {
    if (!sabotage::kLostTombstone) commit.pending_remove.push_back(item->pending_id);
  } else if (item->from == Item::From::timer) {
    if (!sabotage::kTimerNotRemoved) commit.timers_fired.push_back(item->message.id);
  } else if (item->from == Item::From::every) {
    commit.every_next.emplace_back(item->message.topic, item->every_next);
  }
}

void Shard::add_state(Batch& batch, const ItemPtr& item) {
  const UnitOfWork& unit = item->finished.unit;
  ports::ShardCommit& commit = *batch.commit;
  if (!unit.state) return;
  const std::string& key = *item->message.key;
  ports::StateRow row{.bytes = unit.state->bytes,
                      .version = item->finished.state_version,
                      .quiet_until = unit.state->quiet_until};
  batch.bytes += key.size() + (row.bytes ? row.bytes->size() : 0);
  const auto [entry, fresh] = batch.state_index.try_emplace(key, commit.states.size());
  if (fresh) {
    commit.states.emplace_back(key, std::move(row));
  } else {
    commit.states[entry->second].second = std::move(row);
  }
  if (unit.state->bytes) return;
  // Forgotten: the timers that earlier units of this commit set go, too.
  commit.forget_timers.push_back(key);
  std::erase_if(commit.timers, [&](const auto& change) { return change.first == key; });
}

ports::Append Shard::record_of(const Emit& emit, const Item& item, std::int64_t seq) const {
  // What goes on to the inbox stays the message that it is, with all of its headers.
  ports::Append record =
      make_record(env_, emit, item.forwarded ? Headers{} : carried_headers(item.message), seq);
  const std::string place = std::to_string(epoch_) + "-" + std::to_string(seq);
  if (!item.forwarded) {
    set_header(record.headers, header::kId, ref_.to_string() + "/" + place);
    set_header(record.headers, header::kRevision, item.finished.revision);
  }
  if (!env_.log.shares_store()) {
    set_header(record.headers, header::kOrigin,
               env_.identity.database + "/" + ref_.to_string() + "/" + place);
  }
  return record;
}

void Shard::add_emits(Batch& batch, const ItemPtr& item) {
  for (const Emit& emit : item->finished.unit.emits) {
    ++seq_;
    batch.bytes += emit.payload.size() + 200;
    if (sabotage::kOutputsApart) {
      // Wide enough that a kill falls between the commit and what it should have sent.
      lane_.post_after(std::chrono::milliseconds(20),
                       guarded([this, record = record_of(emit, *item, seq_)]() mutable {
                         std::vector<ports::Append> records;
                         records.push_back(std::move(record));
                         env_.log.append(std::move(records), lane_, [](auto) {});
                       }));
      continue;
    }
    batch.commit->outgoing.push_back({epoch_, seq_, record_of(emit, *item, seq_)});
  }
}

void Shard::add_unit(Batch& batch, const ItemPtr& item) {
  const Finished& finished = item->finished;
  ports::ShardCommit& commit = *batch.commit;
  for (const TimerChange& change : finished.unit.timers) {
    commit.timers.emplace_back(*item->message.key, change);
  }
  if (finished.unit.reply) {
    if (const std::string* ask = find_header(item->message.headers, header::kAsk)) {
      commit.replies.push_back({*ask, *finished.unit.reply});
    }
  }
  if (finished.dead) commit.dead.push_back(*finished.dead);
  if (!finished.unit.sql.empty()) {
    commit.units.push_back({item->message.id, finished.unit.sql});
    batch.sql_items.push_back(item);
  }
}

void Shard::submit() {
  env_.store.commit(batch_->commit, lane_, guarded([this](ports::CommitResult result) {
                      settle(std::move(result));
                      check_stopped();
                    }));
}

void Shard::settle(ports::CommitResult result) {
  switch (result.status) {
    case ports::CommitResult::Status::committed:
      committed();
      break;
    case ports::CommitResult::Status::fenced:
      env_.metrics.add("host_fences_total", 1, {{"plugin", ref_.plugin}});
      reclaim(result.error);
      break;
    case ports::CommitResult::Status::unknown:
      reclaim(result.error);
      break;
    case ports::CommitResult::Status::sql_failed:
      sql_failed(result);
      break;
    case ports::CommitResult::Status::not_now:
      why_ = result.error.to_string();
      lane_.post_after(env_.limits.retry_commit, guarded([this] { submit(); }));
      break;
  }
}

void Shard::committed() {
  const Batch batch = *std::exchange(batch_, std::nullopt);
  ++commit_no_;
  why_.clear();
  acked_committed_ = batch.commit->acked_seq;
  ack_due_.reset();
  acknowledge_later();
  for (auto& [input, passed_count] : batch.passed) {
    for (std::size_t i = 0; i < passed_count; ++i) {
      input->bytes -= input->queue.front()->message_bytes;
      input->queue.front()->passed = true;
      input->queue.pop_front();
    }
  }
  for (const auto& [topic, next] : batch.commit->next_offsets) inputs_.at(topic)->committed = next;
  for (const auto& [name, next] : batch.commit->every_next) {
    every_next_[name] = next;
    every_dirty_.erase(name);
  }
  refused_.erase(refused_.begin(), refused_.begin() + static_cast<std::ptrdiff_t>(batch.refused));
  // Those whose rows were made or updated may have finished meanwhile: they wait for the next one.
  for (const ItemPtr& item : batch.updated) {
    item->in_batch = false;
    if (!item->row_dirty) dirty_.erase(item);
  }
  for (const ItemPtr& item : batch.parked) settle_parked(item);
  for (const ItemPtr& item : batch.finished) settle_finished(item);
  std::erase_if(loose_, [](const ItemPtr& item) { return item->in_batch; });
  apply_timers(batch);
  schedule_every();
  if (!env_.log.shares_store()) outbox_.add(batch.commit->outgoing);
  for (const ports::Reply& reply : batch.commit->replies) {
    env_.asks.reply(reply.ask_id, reply.payload);
  }
  count(batch);
  release_queries();
  for (auto& [topic, input] : inputs_) fetch(*input);
  pump_waiting();
  drain_ready();
  schedule_commit();
}

void Shard::settle_finished(const ItemPtr& item) {
  Mailbox& box = boxes_.at(item->box);
  HOST_DCHECK(box.finished.front() == item, "units of a key were committed out of order");
  box.finished.pop_front();
  --box.batched;
  --finished_count_;
  const Finished& finished = item->finished;
  for (const Emit& emit : finished.unit.emits) finished_bytes_ -= emit.payload.size();
  if (finished.unit.state) view_.committed(*item->message.key);
  if (finished.sql_seq != 0) sql_uncommitted_.erase(finished.sql_seq);
  if (item->pending_id != 0) {
    pending_.erase(item->pending_id);
    --box.pending;
  }
  dirty_.erase(item);
  once_taken_.erase(item->once_id);
  if (item->from == Item::From::every) every_running_.erase(item->message.topic);
  if (box.idle()) {
    boxes_.erase(item->box);
  } else {
    ready_.push_back(item->box);
  }
}

void Shard::settle_parked(const ItemPtr& item) {
  Mailbox& box = boxes_.at(item->box);
  item->in_batch = item->parking = false;
  item->passed = true;
  if (item->from == Item::From::every) every_running_.erase(item->message.topic);
  item->from = Item::From::pending;
  pending_[item->pending_id] = item;
  ++box.pending;
  --box.parking;
  once_taken_.erase(item->once_id);
  if (item->row_dirty) {
    dirty_.insert(item);
  } else {
    dirty_.erase(item);
  }
  // Memory holds heads, not queues: what stands behind is read again when its turn comes.
  if (item->phase == Item::Phase::queued && box.queue.front() != item) {
    item->message.payload = {};
    item->message.headers = {};
    item->payload_loaded = false;
  }
}

void Shard::apply_timers(const Batch& batch) {
  for (const std::string& key : batch.commit->forget_timers) timers_.cancel_all(key);
  for (const auto& [key, change] : batch.commit->timers) {
    if (const auto* cancel = std::get_if<TimerCancel>(&change)) {
      timers_.cancel(key, cancel->id_or_name);
    } else {
      const TimerSet& set = std::get<TimerSet>(change);
      timers_.add({set.id, set.name, key, set.due, set.payload, set.headers});
    }
  }
  schedule_timers();
}

void Shard::count(const Batch& batch) {
  const ports::Labels labels{{"plugin", ref_.plugin}};
  const auto add = [&](const char* name, double n) {
    if (n > 0) env_.metrics.add(name, n, labels);
  };
  const Counts counts = std::exchange(counts_, Counts{});
  add("host_messages_handled_total", counts.handled);
  add("host_script_errors_total", counts.raised);
  add("host_retries_total", counts.retried);
  add("host_dead_letters_total", counts.dead);
  add("host_duplicates_dropped_total", counts.duplicates);
  add("host_once_dropped_total", counts.once_dropped);
  add("host_late_dropped_total", counts.quiet_dropped);
  add("host_messages_sent_total", static_cast<double>(batch.commit->outgoing.size()));
  add("host_commits_total", 1);
  env_.metrics.observe("host_commit_seconds",
                       static_cast<double>((env_.clock.now() - batch.begun).count()) * 1e-6,
                       labels);
  env_.metrics.observe("host_commit_messages", static_cast<double>(batch.finished.size()), labels);
}

void Shard::give_back() {
  Batch batch = *std::exchange(batch_, std::nullopt);
  seq_ = batch.seq_before;
  for (const ItemPtr& item : batch.finished) {
    item->in_batch = false;
    boxes_.at(item->box).batched = 0;
  }
  for (const ItemPtr& item : batch.parked) {
    item->in_batch = item->parking = false;
    --boxes_.at(item->box).parking;
    item->pending_id = 0;
    item->row_dirty = item->row_dirty || item->due || item->stopped;
    if (item->passed && item->phase != Item::Phase::finished) dirty_.insert(item);
  }
  for (const ItemPtr& item : batch.updated) {
    item->in_batch = false;
    item->row_dirty = true;
  }
  // One that finished while its row was being written is waited for by its prefix again.
  std::erase_if(loose_, [](const ItemPtr& item) { return !item->passed; });
}

void Shard::sql_failed(const ports::CommitResult& result) {
  const std::vector<ItemPtr> items = batch_->sql_items;
  give_back();
  for (const auto& [index, error] : result.failed) {
    const ItemPtr& item = items.at(index);
    if (item->phase != Item::Phase::finished) continue;  // unrolled with an earlier one of its key
    unroll(item);
    Outcome outcome;
    outcome.kind = Outcome::Kind::failed;
    outcome.error = error;
    failed(item, std::move(outcome));
  }
  drain_ready();
  schedule_commit();
}

void Shard::unroll(const ItemPtr& failed_item) {
  Mailbox& box = boxes_.at(failed_item->box);
  // What runs now saw a state that will not be: it runs again.
  if (!box.queue.empty() && box.queue.front()->phase == Item::Phase::running) {
    const ItemPtr running = box.queue.front();
    end_task(running);
    running->phase = Item::Phase::queued;
  }
  for (bool more = true; more;) {
    const ItemPtr item = box.finished.back();
    box.finished.pop_back();
    more = item != failed_item;
    Finished finished = std::exchange(item->finished, Finished{});
    --finished_count_;
    for (const Emit& emit : finished.unit.emits) finished_bytes_ -= emit.payload.size();
    if (finished.unit.state) view_.rolled_back(*item->message.key, finished.state_before);
    if (finished.sql_seq != 0) sql_uncommitted_.erase(finished.sql_seq);
    for (ports::TimerRow& timer : finished.cancelled) timers_.add(std::move(timer));
    std::erase(loose_, item);
    item->phase = Item::Phase::queued;
    box.queue.push_front(item);
  }
  schedule_timers();
  release_queries();
}

}  // namespace host::runtime
