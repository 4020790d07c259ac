// What the store's answer to a commit leads to: done, done without the units whose SQL it refused,
// the same once more, or everything anew.
#include "host/base/check.h"
#include "host/runtime/asks.h"
#include "host/runtime/shard.h"

namespace host::runtime {

void Shard::settle(ports::CommitResult result) {
  switch (result.status) {
    case ports::CommitResult::Status::committed:
      committed();
      break;
    case ports::CommitResult::Status::fenced:
      env_.metrics.add("host_fences_total", 1, {{"plugin", ref_.plugin}});
      reclaim(result.error);
      break;
    case ports::CommitResult::Status::answered:  // not of a shard: only doors answer requests
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
  Batch batch = *std::exchange(batch_, std::nullopt);
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
  for (const auto& [topic, next] : batch.commit->next_offsets) {
    inputs_.at(topic)->committed = next;
    env_.log.note_read(ref_.plugin, topic, ref_.number, next);
  }
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
  for (const ports::Reply& reply : batch.commit->replies) {
    env_.asks.reply(reply.ask_id, reply.payload);
  }
  meter_.committed(batch, env_.clock.now() - batch.begun);
  if (!env_.log.shares_store()) outbox_.add(std::move(batch.commit->outgoing));
  release_queries();
  for (auto& [topic, input] : inputs_) fetch(*input);
  pump_waiting();
  drain_ready();
  schedule_commit();
}

void Shard::settle_finished(const ItemPtr& item) {
  Mailbox& box = *item->box;
  HOST_DCHECK(box.finished.front() == item, "units of a key were committed out of order");
  box.finished.pop_front();
  --box.batched;
  --finished_count_;
  const Finished& finished = item->finished;
  finished_bytes_ -= finished.emit_bytes;
  if (finished.sql_seq != 0) sql_uncommitted_.erase(finished.sql_seq);
  if (item->pending_id != 0) {
    pending_.erase(item->pending_id);
    --box.pending;
  }
  dirty_.erase(item);
  once_taken_.erase(item->once_id);
  if (item->from == Item::From::every) every_running_.erase(item->message.topic);
  box.state_entry = Mailbox::kNone;
  item->box = nullptr;
  Entity& entity = *box.entity;  // there while its state has uncommitted changes
  if (box.queue.empty()) {
    drop_if_idle(box);
  } else {
    make_ready(box);
  }
  if (finished.unit.state) entities_.committed(entity);
}

void Shard::settle_parked(const ItemPtr& item) {
  Mailbox& box = *item->box;
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

void Shard::give_back() {
  Batch batch = *std::exchange(batch_, std::nullopt);
  seq_ = batch.seq_before;
  give_back_contents(batch);
  for (const ItemPtr& item : batch.finished) {
    item->in_batch = false;
    item->box->batched = 0;
    item->box->state_entry = Mailbox::kNone;
  }
  for (const ItemPtr& item : batch.parked) {
    item->in_batch = item->parking = false;
    --item->box->parking;
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

/// What collect() moved into the commit. Copied: the store may still hold the commit.
void Shard::give_back_contents(Batch& batch) {
  const ports::ShardCommit& commit = *batch.commit;
  for (std::size_t i = 0; i < commit.states.size(); ++i) {
    batch.state_items[i]->finished.unit.state->bytes = commit.states[i].second.bytes;
  }
  auto row = commit.outgoing.begin();
  for (const ItemPtr& item : batch.finished) {
    for (Emit& emit : item->finished.unit.emits) {
      if (row == commit.outgoing.end()) return;  // a saboteur's build sends them apart
      emit.payload = (row++)->record.payload;
    }
  }
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
  Mailbox& box = *failed_item->box;
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
    finished_bytes_ -= finished.emit_bytes;
    if (finished.unit.state) entities_.rolled_back(*box.entity, finished.state_before);
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
