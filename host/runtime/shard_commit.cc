// How a shard's work becomes visible: the longest prefix of what is finished or parked goes into
// one commit, one at a time.
#include <algorithm>

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
  if (status_ == Status::stopping) check_stopped();
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
  const std::size_t most = std::min(finished_count_, env_.limits.batch_messages);
  batch.finished.reserve(most);
  commit.states.reserve(most);
  commit.outgoing.reserve(most);
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
  const Mailbox& box = *item.box;
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
  ++item->box->parking;
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
  Mailbox& box = *item->box;
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
  std::optional<StateChange>& change = item->finished.unit.state;
  ports::ShardCommit& commit = *batch.commit;
  if (!change) return;
  const bool forgotten = !change->bytes;
  const std::string& key = *item->message.key;
  batch.bytes += key.size() + (forgotten ? 0 : change->bytes->size());
  ports::StateRow row{.bytes = std::move(change->bytes),
                      .version = item->finished.state_version,
                      .quiet_until = change->quiet_until};
  std::size_t& entry = item->box->state_entry;
  if (entry == Mailbox::kNone) {
    entry = commit.states.size();
    commit.states.emplace_back(key, std::move(row));
    batch.state_items.push_back(item.get());
  } else {
    // The later one wins. Should this commit be taken apart, the earlier one has its own again.
    Item*& earlier = batch.state_items[entry];
    ports::StateRow& state = commit.states[entry].second;
    earlier->finished.unit.state->bytes = std::move(state.bytes);
    state = std::move(row);
    earlier = item.get();
  }
  if (!forgotten) return;
  // Forgotten: the timers that earlier units of this commit set go, too.
  commit.forget_timers.push_back(key);
  std::erase_if(commit.timers, [&](const auto& timer) { return timer.first == key; });
}

ports::Append Shard::record_of(Emit emit, const Item& item, std::int64_t seq) const {
  // What goes on to the inbox stays the message that it is, with all of its headers.
  ports::Append record = make_record(
      env_, std::move(emit), item.forwarded ? Headers{} : carried_headers(item.message), seq);
  std::string id;
  id.reserve(name_.size() + 42);  // both numbers at their longest
  id += name_;
  append_number(id += '/', epoch_);
  append_number(id += '-', seq);
  std::string origin = env_.log.shares_store() ? "" : env_.identity.database + "/" + id;
  if (!item.forwarded) {
    set_header(record.headers, header::kId, std::move(id));
    set_header(record.headers, header::kRevision, item.engine_revision);
  }
  if (!origin.empty()) set_header(record.headers, header::kOrigin, std::move(origin));
  return record;
}

void Shard::add_emits(Batch& batch, const ItemPtr& item) {
  for (Emit& emit : item->finished.unit.emits) {
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
    Emit sent{emit.topic, emit.key, std::move(emit.payload), emit.headers};
    batch.commit->outgoing.push_back({epoch_, seq_, record_of(std::move(sent), *item, seq_)});
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
      const bool once = find_header(item->message.headers, header::kAskOnce) != nullptr;
      commit.replies.push_back(
          {*ask, *finished.unit.reply,
           env_.clock.now() + (once ? env_.limits.keep_answers : env_.limits.keep_replies)});
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

}  // namespace host::runtime
