// How messages of a shard are run: one after the other in their mailbox, each as a task that may
// wait between its turns.
#include <algorithm>

#include "host/base/check.h"
#include "host/runtime/shard.h"

namespace host::runtime {
namespace {

constexpr Duration kLoadAgain = std::chrono::milliseconds(200);
constexpr Duration kAskAgain = std::chrono::milliseconds(50);
/// After so many turns in a row a shard lets the lane's other work in between.
constexpr int kTurnsInARow = 64;

/// For a callee that wants a share of what outlives it: nothing is counted.
template <class T>
std::shared_ptr<const T> borrowed(const T& object) {
  return {std::shared_ptr<const void>(), &object};
}

}  // namespace

Mailbox& Shard::mailbox(const std::string& name) { return *entities_.with_box(name).box; }

void Shard::put(const ItemPtr& item, Mailbox& box) {
  item->box = &box;
  box.queue.push_back(item);
}

/// Into a mailbox of its own: keys contain no NUL.
void Shard::put_apart(const ItemPtr& item) {
  put(item, mailbox(std::string(1, '\0') + std::to_string(++private_boxes_)));
}

void Shard::drop_if_idle(Mailbox& box) {
  // One that is still to be looked at is dropped then.
  if (box.idle() && !box.ready) entities_.drop_box(*box.entity);
}

void Shard::make_ready(const Item& item) {
  if (item.box != nullptr) make_ready(*item.box);
}

void Shard::make_ready(Mailbox& box) {
  if (std::exchange(box.ready, true)) return;
  ready_.push_back(&box);
}

void Shard::enqueue(const ItemPtr& item) {
  if (item->message.key) {
    put(item, mailbox(*item->message.key));
  } else {
    put_apart(item);
  }
  pump(*item);
}

void Shard::pump(const Item& item) {
  make_ready(item);
  drain_ready();
}

void Shard::drain_ready() {
  if (draining_ready_) return;
  draining_ready_ = true;
  for (int turns = 0; !ready_.empty() && turns < kTurnsInARow; ++turns) {
    Mailbox& box = *ready_.front();
    ready_.pop_front();
    box.ready = false;
    look_at(box);
  }
  draining_ready_ = false;
  if (!ready_.empty()) {
    lane_.post(guarded([this] { drain_ready(); }));
  } else if (!waiting_.empty() && code_.running() == 0 && !batch_) {
    // Where nothing runs nobody ends either, and asks again for those that wait.
    const Time soon = env_.clock.now() + kAskAgain;
    const std::string_view box = waiting_.front()->box->entity->name;
    if (!next_wake_ || *next_wake_ > soon) wake_at(soon, std::string(box));
  }
}

void Shard::look_at(Mailbox& box) {
  if (box.queue.empty()) {
    drop_if_idle(box);
    return;
  }
  if (status_ != Status::running) return;
  const ItemPtr item = box.queue.front();
  if (item->phase != Item::Phase::queued || item->stopped) return;
  if (item->due && *item->due > env_.clock.now()) {
    wake_at(*item->due, std::string(box.entity->name));
    return;
  }
  if (!prepare(item)) return;
  if (held_back(*item) || !code_.may_start(item->alone)) {
    wait(item);
    return;
  }
  stop_waiting(*item);
  run(item);
}

bool Shard::bytes_full() const { return finished_bytes_ >= 2 * env_.limits.batch_bytes; }

bool Shard::held_back(const Item& item) const {
  if (outbox_.full()) return true;
  // A pending one waits for no prefix. The prefix may wait for it, where its row's limit is
  // reached.
  if (item.pending_id != 0) return false;
  const std::size_t most = 2 * env_.limits.batch_messages;
  if (item.input == nullptr || item.passed) return bytes_full() || finished_count_ >= most;
  // By its distance from the head of its input, which all behind it wait for: those that the next
  // commit needs run first, whatever is finished behind them.
  const Item& head = *item.input->queue.front();
  return item.arrival - head.arrival >= static_cast<std::int64_t>(most) ||
         (bytes_full() && &head != &item);
}

void Shard::wait(const ItemPtr& item) {
  if (std::exchange(item->waiting, true)) return;
  auto place = waiting_.end();  // nearly always
  while (place != waiting_.begin() && (*std::prev(place))->arrival > item->arrival) --place;
  waiting_.insert(place, item);
}

void Shard::stop_waiting(Item& item) {
  if (!std::exchange(item.waiting, false)) return;
  waiting_.erase(std::lower_bound(
      waiting_.begin(), waiting_.end(), item.arrival,
      [](const ItemPtr& other, std::int64_t arrival) { return other->arrival < arrival; }));
}

void Shard::pump_waiting() {
  if (waiting_.empty() || outbox_.full()) return;
  // In the order of their arrival: whoever is too far from the head of its input is followed by
  // such as are farther. Where bytes decide, a head may stand anywhere.
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Item& item = **at;
    if (item.phase == Item::Phase::queued && held_back(item)) {
      if (!bytes_full()) break;
      ++at;
      continue;
    }
    item.waiting = false;
    make_ready(item);
    at = waiting_.erase(at);
  }
  drain_ready();
}

void Shard::room() {
  if (waiting_.empty() || room_posted_) return;
  room_posted_ = true;
  lane_.post(guarded([this] {
    room_posted_ = false;
    pump_waiting();
  }));
}

bool Shard::prepare(const ItemPtr& item) {
  if (!item->once_id.empty() && !item->once_checked) return false;  // asked when it was taken
  std::vector<ItemPtr>* loads = nullptr;
  if (!item->payload_loaded) {
    loads = &loads_payload_;
  } else if (item->message.key && code_.manifest().has_state && !item->box->entity->state) {
    loads = &loads_state_;
  }
  if (loads == nullptr) return true;
  item->phase = Item::Phase::loading;
  ++loading_;
  loads->push_back(item);
  schedule_loads();
  return false;
}

void Shard::schedule_loads() {
  if (loads_scheduled_) return;
  loads_scheduled_ = true;
  lane_.post(guarded([this] { flush_loads(); }));
}

void Shard::check_once(std::vector<ItemPtr> items) {
  std::vector<std::string> ids;
  for (const ItemPtr& item : items) ids.push_back(item->once_id);
  auto answered = [this, items = std::move(items)](Result<std::vector<bool>> seen) {
    if (!seen) {
      reads_fail(seen.error());
      lane_.post_after(kLoadAgain, guarded([this, items] { check_once(items); }));
      return;
    }
    reads_why_.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i]->once_checked = true;
      if ((*seen)[i]) {
        drop_repeat(items[i]);
      } else {
        make_ready(*items[i]);
      }
    }
    schedule_commit();
    drain_ready();
  };
  env_.store.once_seen(ref_, std::move(ids), env_.clock.now(), lane_, guarded(std::move(answered)));
}

void Shard::reads_fail(const Error& why) {
  if (reads_why_.empty()) {
    env_.logger.log(ports::LogLevel::warn, "the store cannot be read",
                    {{"shard", ref_.to_string()}, {"why", why.to_string()}});
  }
  reads_why_ = why.to_string();
}

template <class Answer, class Take>
auto Shard::loaded(std::vector<ItemPtr> items, Take take) {
  return guarded([this, items = std::move(items), take](Result<Answer> answer) {
    loading_ -= items.size();
    if (!answer) {
      // The store is away: that is no failure of the messages.
      reads_fail(answer.error());
      for (const ItemPtr& item : items) again(item, kLoadAgain);
      return;
    }
    reads_why_.clear();
    take(items, *answer);
    for (const ItemPtr& item : items) {
      if (item->phase == Item::Phase::loading) item->phase = Item::Phase::queued;
      make_ready(*item);
    }
    drain_ready();
  });
}

void Shard::flush_loads() {
  loads_scheduled_ = false;
  if (std::vector<ItemPtr> items = std::exchange(loads_payload_, {}); !items.empty()) {
    std::vector<std::int64_t> ids;
    for (const ItemPtr& item : items) ids.push_back(item->pending_id);
    using Rows = std::vector<ports::PendingRow>;
    env_.store.load_pending(
        ref_, std::move(ids), lane_,
        loaded<Rows>(std::move(items), [](const std::vector<ItemPtr>& waiting, Rows& rows) {
          // After a claim there may be as many as the shard can have pending.
          std::unordered_map<std::int64_t, Item*> by_row;
          for (const ItemPtr& item : waiting) by_row.emplace(item->pending_id, item.get());
          for (ports::PendingRow& row : rows) {
            const auto found = by_row.find(row.id);
            if (found == by_row.end()) continue;
            Item& item = *found->second;
            item.message.payload = std::move(row.message.payload);
            item.message.headers = std::move(row.message.headers);
            item.payload_loaded = true;
          }
        }));
  }
  if (std::vector<ItemPtr> items = std::exchange(loads_once_, {}); !items.empty()) {
    check_once(std::move(items));
  }
  if (std::vector<ItemPtr> items = std::exchange(loads_state_, {}); !items.empty()) {
    std::vector<std::string> keys;
    for (const ItemPtr& item : items) keys.push_back(*item->message.key);
    using Rows = std::vector<ports::StateRow>;
    env_.store.load_states(
        ref_, std::move(keys), lane_,
        loaded<Rows>(std::move(items), [this](const std::vector<ItemPtr>& waiting, Rows& rows) {
          for (std::size_t i = 0; i < waiting.size(); ++i) {
            Entity* entity = entities_.find(*waiting[i]->message.key);
            if (entity != nullptr) entities_.loaded(*entity, std::move(rows[i]));
          }
        }));
  }
}

void Shard::run(const ItemPtr& item) {
  const std::optional<ports::StateRow>& state = item->box->entity->state;
  if (state && !state->bytes && state->quiet_until && *state->quiet_until > env_.clock.now()) {
    ++meter_.counts.quiet_dropped;
    finish(item, {});
    return;
  }
  start_task(item, state ? &*state : nullptr);
}

void Shard::start_task(const ItemPtr& item, const ports::StateRow* state) {
  const Message& message = item->message;
  ports::Call call;
  call.kind = ports::Call::Kind::message;
  // Borrowed: the task ends before its item does, and nobody else changes a state or forgets it
  // while a task runs on it.
  call.message = borrowed(message);
  call.shard = ref_.number;
  if (state != nullptr) call.state = borrowed(*state);
  call.last_attempt = message.attempt >= rule_of(message).attempts;
  call.now = message.time;
  call.wall_clock = env_.clock.now();
  call.chance_secret = &env_.identity.secret;

  item->phase = Item::Phase::running;
  item->engine = code_.engine();
  ++item->run_no;
  code_.started(item->engine.get(), item->alone);
  item->turn_seconds = 0;
  ports::Engine::Started started = [&] {
    const Turn turn(item->turn_seconds);
    return item->engine->start(std::move(call));
  }();
  item->task = std::move(started.task);
  if (!started.step.finished()) running_.insert(item);
  on_step(item, std::move(started.step));
}

void Shard::on_step(const ItemPtr& item, ports::Step step) {
  const std::shared_ptr<ports::Engine> engine = item->engine;
  if (step.finished()) {
    HOST_CHECK(step.outcome.has_value(), "a message's task ended without an outcome");
    const bool runs_again = step.outcome->kind == Outcome::Kind::again;
    end_task(item);
    meter_.handlers.count(kind_of(item->message.kind), item->message.topic, item->turn_seconds);
    on_outcome(item, std::move(*step.outcome));
    // Whose fault it was is unknown: it runs alone, as those that are dropped with the engine.
    if (runs_again && engine->broken()) item->alone = true;
  } else {
    for (ports::Effect& effect : step.effects) begin_effect(item, std::move(effect));
  }
  if (Result<void> checked = code_.check(engine.get()); !checked) {
    // Not at once: callers up the stack walk over what a halt clears.
    lane_.post(guarded([this, why = checked.error()] { halt(why); }));
    return;
  }
  if (step.finished()) {
    pump_waiting();
    drain_ready();  // who finished or failed has named its mailbox
    check_stopped();
  }
}

void Shard::end_task(const ItemPtr& item) {
  running_.erase(item);
  item->task.reset();
  if (item->engine) code_.ended(item->engine.get(), item->alone);
  if (item->engine) {
    item->engine_revision = item->engine->manifest().revision;
    item->engine_state_version = item->engine->manifest().state_version;
  }
  item->engine.reset();
}

void Shard::begin_effect(const ItemPtr& item, ports::Effect effect) {
  auto resume = guarded([this, weak = std::weak_ptr<Item>(item), run_no = item->run_no,
                         id = effect.id](ports::EffectAnswer answer) {
    const ItemPtr waiting = weak.lock();
    if (!waiting || !waiting->task || waiting->run_no != run_no) return;
    ports::Step step = [&] {
      const Turn turn(waiting->turn_seconds);
      return waiting->task->resume(id, std::move(answer));
    }();
    on_step(waiting, std::move(step));
  });
  if (auto* query = std::get_if<ports::QueryEffect>(&effect.what)) {
    auto go = [this, statement = std::move(*query), resume = std::move(resume)]() mutable {
      Effects::query(env_, ref_.plugin, std::move(statement), lane_, std::move(resume));
    };
    if (sql_uncommitted_.empty()) {
      go();
    } else {
      // It sees what earlier messages wrote, so those must be committed: the prefix goes on below.
      queries_.emplace_back(sql_seq_, std::move(go));
      item->park_now = true;
      schedule_commit();
    }
  } else if (auto* read = std::get_if<ports::ReadEffect>(&effect.what)) {
    Effects::read(env_, ref_.plugin, std::move(*read), lane_, std::move(resume));
  } else if (auto* list = std::get_if<ports::ListEffect>(&effect.what)) {
    Effects::list(env_, ref_.plugin, std::move(*list), lane_, std::move(resume));
  } else if (std::holds_alternative<ports::YieldEffect>(effect.what)) {
    lane_.post([resume = std::move(resume)]() mutable { resume(std::monostate{}); });
  } else {
    lane_.post([resume = std::move(resume)]() mutable {
      resume(make_error(Error::Code::unsupported, "ctx:ask is for HTTP handlers",
                        "emit a message, and let its handler emit the answer"));
    });
  }
}

void Shard::release_queries() {
  const std::int64_t uncommitted = sql_uncommitted_.empty()
                                       ? std::numeric_limits<std::int64_t>::max()
                                       : *sql_uncommitted_.begin();
  std::vector<UniqueFunction<void()>> ready;
  std::erase_if(queries_, [&](auto& entry) {
    if (entry.first >= uncommitted) return false;
    ready.push_back(std::move(entry.second));
    return true;
  });
  for (auto& go : ready) go();
}

void Shard::wake_at(Time due, std::string box) {
  wakes_.emplace(due, std::move(box));
  if (next_wake_ && *next_wake_ <= due) return;
  next_wake_ = due;
  const Duration delay = std::max(due - env_.clock.now(), Duration::zero());
  lane_.post_after(delay, guarded([this, due] {
                     if (next_wake_ == due) on_wake();
                   }));
}

void Shard::on_wake() {
  next_wake_.reset();
  const Time now = env_.clock.now();
  bool timers = false;
  std::set<std::string> boxes;
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    auto first = wakes_.extract(wakes_.begin());
    if (first.value().second.empty()) timers = true;
    boxes.insert(std::move(first.value().second));
  }
  if (timers && status_ == Status::running) {
    take_due_timers();
    schedule_every();
  }
  for (const std::string& box : boxes) {
    const Entity* entity = entities_.find(box);
    if (entity != nullptr && entity->box != nullptr) make_ready(*entity->box);
  }
  drain_ready();
  // What was looked at may have asked for a later one, which does not cover the first.
  if (!wakes_.empty()) {
    const auto [due, box] = *wakes_.begin();
    wake_at(due, box);
  }
}

}  // namespace host::runtime
