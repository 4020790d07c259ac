// How a message's handler ended, and what becomes of it: a unit that waits for its commit, a retry,
// a dead letter, or once more as if it had not run.
#include <algorithm>

#include "host/base/check.h"
#include "host/runtime/shard.h"

namespace host::runtime {
namespace {

constexpr Duration kRunAgain = std::chrono::milliseconds(50);

}  // namespace

RetryRule Shard::rule_of(const Message& message) const {
  const Manifest& manifest = code_.manifest();
  const auto named = [&](const auto& entry) { return entry.name == message.topic; };
  switch (message.kind) {
    case Message::Kind::record:
      if (const auto* found = manifest.find_subscription(message.topic)) return found->retry;
      break;
    case Message::Kind::timer: {
      const auto found = std::find_if(manifest.timers.begin(), manifest.timers.end(), named);
      if (found != manifest.timers.end()) return found->retry;
      break;
    }
    case Message::Kind::every: {
      const auto found = std::find_if(manifest.every.begin(), manifest.every.end(), named);
      if (found != manifest.every.end()) return found->retry;
      break;
    }
  }
  return {};
}

void Shard::on_outcome(const ItemPtr& item, Outcome outcome) {
  item->alone = item->alone && outcome.kind == Outcome::Kind::again;
  switch (outcome.kind) {
    case Outcome::Kind::done:
      ++meter_.counts.handled;
      finish(item, std::move(outcome.unit));
      break;
    case Outcome::Kind::dead:
      finish_dead(item, outcome.error.code == Error::Code::invalid ? "invalid" : "dead",
                  std::move(outcome.error));
      break;
    case Outcome::Kind::retry:
    case Outcome::Kind::failed:
      failed(item, std::move(outcome));
      break;
    case Outcome::Kind::again:
      again(item, kRunAgain);
      break;
  }
}

void Shard::finish(const ItemPtr& item, UnitOfWork unit) {
  Mailbox& box = *item->box;
  HOST_CHECK(!box.queue.empty() && box.queue.front() == item, "a message finished out of turn");
  if (unit.state) {
    // Of the code that ran it: a newer revision may have come while it waited.
    item->finished.state_version = item->engine_state_version;
    item->finished.state_before =
        entities_.executed(*box.entity, {.bytes = unit.state->bytes,
                                         .version = item->finished.state_version,
                                         .quiet_until = unit.state->quiet_until});
    if (!unit.state->bytes) cancel_in_mailbox(item, nullptr);
  }
  for (TimerChange& change : unit.timers) {
    if (const auto* cancel = std::get_if<TimerCancel>(&change)) {
      cancel_in_mailbox(item, &cancel->id_or_name);
    } else {
      std::get<TimerSet>(change).headers = carried_headers(item->message);
    }
  }
  if (!unit.sql.empty()) {
    item->finished.sql_seq = ++sql_seq_;
    sql_uncommitted_.insert(sql_seq_);
  }
  for (const Emit& emit : unit.emits) item->finished.emit_bytes += emit.payload.size();
  finished_bytes_ += item->finished.emit_bytes;
  ++finished_count_;
  item->finished.unit = std::move(unit);
  item->phase = Item::Phase::finished;
  box.queue.pop_front();
  box.finished.push_back(item);
  if (item->passed || item->parking) loose_.push_back(item);
  schedule_commit();
  if (!box.queue.empty()) make_ready(box);
}

void Shard::cancel_in_mailbox(const ItemPtr& by, const std::string* id_or_name) {
  by->box->queue.erase_if([&](const ItemPtr& item) {
    // One that failed before has become a pending message: cancelling the timer is too late.
    if (item == by || item->from != Item::From::timer) return false;
    if (item->row_dirty || item->pending_id != 0) return false;
    const Message& timer = item->message;
    if (id_or_name != nullptr && timer.id != *id_or_name && timer.topic != *id_or_name)
      return false;
    by->finished.cancelled.push_back(
        {timer.id, timer.topic, *timer.key, timer.time, timer.payload, timer.headers});
    stop_waiting(*item);
    item->box = nullptr;
    return true;
  });
}

const std::string& Shard::revision_of(const Item& item) const {
  // That which ran it last: newer code may have come while it waited.
  return item.engine_revision.empty() ? code_.manifest().revision : item.engine_revision;
}

ports::DeadLetter Shard::dead_letter(const Message& message, const char* reason,
                                     Error error) const {
  ports::DeadLetter letter;
  letter.id = message.id;
  letter.plugin = ref_.plugin;
  letter.shard = ref_.number;
  letter.message = message;
  letter.reason = reason;
  letter.error = std::move(error);
  letter.revision = code_.manifest().revision;
  letter.at = env_.clock.now();
  return letter;
}

void Shard::finish_dead(const ItemPtr& item, const char* reason, Error error) {
  ++meter_.counts.dead;
  env_.logger.log(ports::LogLevel::error, "message went to the dead letters",
                  {{"plugin", ref_.plugin},
                   {"topic", item->message.topic},
                   {"key", item->message.key.value_or("")},
                   {"id", item->message.id},
                   {"reason", reason},
                   {"error", error.to_string()},
                   {"attempts", std::to_string(item->message.attempt)},
                   {"revision", revision_of(*item)}});
  item->finished.dead =
      std::make_unique<ports::DeadLetter>(dead_letter(item->message, reason, std::move(error)));
  item->finished.dead->revision = revision_of(*item);
  finish(item, {});
}

void Shard::refused_by_log(const ports::OutgoingRow& row, const Error& error) {
  Message message;
  message.id = ref_.to_string() + "/" + std::to_string(row.epoch) + "-" + std::to_string(row.seq);
  message.topic = row.record.topic;
  message.key = row.record.key;
  message.payload = row.record.payload;
  message.headers = row.record.headers;
  ++meter_.counts.dead;
  refused_.push_back(dead_letter(message, "refused", error));
  schedule_commit();
}

void Shard::failed(const ItemPtr& item, Outcome outcome) {
  const RetryRule rule = rule_of(item->message);
  const bool raised = outcome.kind == Outcome::Kind::failed;
  if (raised) ++meter_.counts.raised;
  // A repeat of what used up its turn or the memory would only hold up the lane once more.
  const bool hopeless = raised && (outcome.error.code == Error::Code::timeout ||
                                   outcome.error.code == Error::Code::exhausted);
  const bool last = hopeless || item->message.attempt >= rule.attempts;
  if (last && rule.last == RetryRule::Last::dead) {
    finish_dead(item, raised ? "failed" : "dead", std::move(outcome.error));
    return;
  }
  ++meter_.counts.retried;
  env_.logger.log(ports::LogLevel::warn,
                  raised ? "handler raised" : "handler asked to be run again",
                  {{"plugin", ref_.plugin},
                   {"topic", item->message.topic},
                   {"key", item->message.key.value_or("")},
                   {"id", item->message.id},
                   {"error", outcome.error.to_string()},
                   {"attempt", std::to_string(item->message.attempt)},
                   {"revision", revision_of(*item)}});
  item->last_error = outcome.error.to_string();
  if (last) {
    item->stopped = true;
  } else {
    ++item->message.attempt;
    const Duration pause =
        outcome.delay ? *outcome.delay : rule.delay(item->message.attempt, env_.chance.fraction());
    item->due = env_.clock.now() + pause;
  }
  item->phase = Item::Phase::queued;
  item->row_dirty = true;
  if (item->passed) dirty_.insert(item);
  schedule_commit();
  make_ready(*item);
}

void Shard::again(const ItemPtr& item, Duration delay) {
  item->phase = Item::Phase::queued;
  if (item->box != nullptr) wake_at(env_.clock.now() + delay, std::string(item->box->entity->name));
}

void Shard::drop_tasks(const ports::Engine* engine, bool alone) {
  for (const ItemPtr& item : std::set<ItemPtr>(running_)) {
    if (item->engine.get() != engine) continue;
    end_task(item);
    item->alone = alone;
    again(item, kRunAgain);
  }
  if (status_ == Status::stopping) schedule_commit();  // it may be all that the stop waits for
}

}  // namespace host::runtime
