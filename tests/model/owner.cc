#include "tests/model/owner.h"

#include <algorithm>

namespace host::model {
namespace {

constexpr int kAttempts = 2;
constexpr std::size_t kWindow = 6;
constexpr int kTimerNumber = 7;  // of the message that a timer sends

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

Owner::Owner(World& world, Random& random, int shard)
    : world_(world), random_(random), shard_(shard) {
  ShardRow& row = world_.database[at(shard)];
  row.epoch = world_.mutant == Mutant::epoch_without_clock ? row.epoch + 1
                                                           : std::max(row.epoch + 1, world_.clock);
  epoch_ = row.epoch;
  commit_no_ = row.commit_no;
  seq_ = row.seq;
  acked_ = acked_committed_ = row.acked;
  position_ = row.next;
  marks_ = row.marks;
  states_ = row.states;
  outbox_.assign(row.outgoing.begin(), row.outgoing.end());
  for (const auto& [id, pending] : row.pending) {
    Task& task = add(pending.message, Task::Source::pending);
    task.id = id;
    task.attempt = pending.attempt;
    task.durable = true;
    last_id_ = std::max(last_id_, id);
  }
  for (const auto& [id, timer] : row.timers) {
    timers_.push_back(timer);
    last_id_ = std::max(last_id_, id);
  }
}

bool Owner::reads(int topic) const {
  return plugin_of(shard_) == kA ? topic == kIn || topic == kInboxA
                                 : topic == kX || topic == kY || topic == kInboxB;
}

MarkPlace Owner::mark_place(const Message& message) const {
  return {world_.mutant == Mutant::marks_per_stream ? 0 : message.topic, message.stream};
}

Position Owner::mark_value(const Message& message) const {
  if (world_.mutant == Mutant::marks_without_epoch) return {0, message.position.seq};
  return message.position;
}

Owner::Task& Owner::add(const Message& message, Task::Source source) {
  Task& task = tasks_.emplace_back();
  task.message = message;
  task.source = source;
  task.arrival = ++arrivals_;
  keys_[at(message.key)].push_back(&task);
  return task;
}

bool Owner::fetch() {
  const int topic = random_.below(kTopics);
  if (!reads(topic) || windows_[at(topic)].size() >= kWindow) return false;
  const auto& records = world_.log.partitions[at(topic)][at(shard_ % kPartitions)];
  std::int64_t& position = position_[at(topic)];
  if (position >= static_cast<std::int64_t>(records.size())) return false;
  const std::int64_t offset = position++;
  Message message = records[static_cast<std::size_t>(offset)];
  message.topic = topic;
  bool drop = message.key < 0;
  if (!drop && message.stream < 0) message.position = {0, offset};
  if (!drop && message.stream >= 0) {
    const auto [mark, fresh] = marks_.emplace(mark_place(message), mark_value(message));
    drop = !fresh && mark_value(message) <= mark->second;
    if (!drop) mark->second = mark_value(message);
  }
  Task* task = nullptr;
  if (drop) {
    task = &tasks_.emplace_back();
    task->state = Task::State::dropped;
  } else {
    task = &add(message, Task::Source::window);
  }
  task->offset = offset;
  windows_[at(topic)].push_back(task);
  return true;
}

bool Owner::start() {
  Tasks& queue = keys_[at(random_.below(kKeys))];
  for (Task* task : queue) {
    const bool ready = task->state == Task::State::queued ||
                       (task->state == Task::State::waiting && task->durable);
    if (ready) {
      task->state = Task::State::running;
      return true;
    }
    if (world_.mutant != Mutant::key_not_blocked || task->state != Task::State::waiting)
      return false;
  }
  return false;
}

bool Owner::finish(double failing) {
  Tasks& queue = keys_[at(random_.below(kKeys))];
  const auto found = std::find_if(queue.begin(), queue.end(), [](const Task* task) {
    return task->state == Task::State::running;
  });
  if (found == queue.end()) return false;
  Task& task = **found;
  if (random_.chance(failing)) {
    if (task.attempt < kAttempts) {
      ++task.attempt;
      task.state = Task::State::waiting;
      task.durable = false;
      task.unwritten = true;
      return true;
    }
    task.dead = true;
  } else {
    State& state = states_[at(task.message.key)];
    state.push_back(task.message);
    task.state_after = state;
  }
  task.state = Task::State::finished;
  queue.erase(found);
  finished_.push_back(&task);
  return true;
}

bool Owner::park() {
  Tasks& queue = keys_[at(random_.below(kKeys))];
  if (queue.empty()) return false;
  Task& task = *queue.front();
  if (task.state != Task::State::running || task.source != Task::Source::window) return false;
  task.parked = true;
  return true;
}

bool Owner::fire_timer() {
  if (timers_.empty()) return false;
  const auto chosen = timers_.begin() + random_.below(static_cast<int>(timers_.size()));
  Message message;
  message.topic = kTopics;  // none
  message.position = {epoch_, chosen->id};
  message.key = chosen->key;
  message.logical = chosen->logical;
  add(message, Task::Source::timer).id = chosen->id;
  timers_.erase(chosen);
  return true;
}

bool Owner::behind_pending(const Task& task) const {
  for (const Task* earlier : keys_[at(task.message.key)]) {
    if (earlier == &task) return false;
    if (earlier->source == Task::Source::pending || earlier->state == Task::State::waiting ||
        earlier->parked) {
      return true;
    }
  }
  return false;
}

/// Whether the prefix may pass the message: it is done, or it can become pending.
bool Owner::passes(const Task& task) const {
  switch (task.state) {
    case Task::State::dropped:
    case Task::State::waiting:
      return true;
    case Task::State::finished:
      return task.included;
    case Task::State::running:
      return task.parked || world_.mutant == Mutant::offset_before_unit;
    case Task::State::queued:
      return behind_pending(task);
  }
  return false;
}

/// The results that this commit takes: of a window only those in its prefix, of a key only those
/// whose forerunners it takes as well, for the key's state is written as the last of them left it.
void Owner::choose_included() {
  for (Task* task : finished_) {
    task->included = world_.mutant != Mutant::parked_apart || task->source != Task::Source::pending;
  }
  for (bool changed = true; changed;) {
    changed = false;
    const auto exclude = [&changed](Task& task) {
      changed = changed || task.included;
      task.included = false;
    };
    for (const Tasks& window : windows_) {
      bool stopped = false;
      for (Task* task : window) {
        stopped = stopped || !passes(*task);
        if (stopped && task->state == Task::State::finished) exclude(*task);
      }
    }
    std::array<bool, kKeys> blocked{};
    for (Task* task : finished_) {
      bool& key = blocked[at(task->message.key)];
      if (key && world_.mutant != Mutant::results_overtake) exclude(*task);
      key = key || !task->included;
    }
  }
}

void Owner::send(Commit& commit, int topic, int key, int logical) {
  Message message;
  message.topic = topic;
  message.stream = shard_;
  message.position = {epoch_, ++seq_};
  message.key = key;
  message.logical = logical;
  commit.outgoing.push_back(message);
}

/// What a finished message changes. A sends one to three messages an input, one of them perhaps
/// later, by a timer; all of it follows from `logical`, so that a repeat does the same.
void Owner::add_result(Commit& commit, Task& task) {
  if (task.source == Task::Source::pending) commit.pending_remove.push_back(task.id);
  if (task.source == Task::Source::timer) {
    (world_.mutant == Mutant::timer_kept ? late_fired_ : commit.timers_fired).push_back(task.id);
  }
  const Message& message = task.message;
  if (task.dead) {
    commit.dead.push_back(message);
    return;
  }
  std::erase_if(commit.states, [&](const auto& entry) { return entry.first == message.key; });
  commit.states.emplace_back(message.key, std::move(task.state_after));
  if (plugin_of(shard_) == kB) return;
  const int input = message.logical / 8;
  const auto pass_on = [&](int number) {
    const int logical = input * 8 + number;
    send(commit, logical % 3 == 0 ? kX : kY, (message.key + logical % 2) % kKeys, logical);
  };
  if (message.logical % 8 == kTimerNumber) {
    pass_on(kTimerNumber);
    return;
  }
  for (int number = 1; number <= 1 + input % 3; ++number) pass_on(number);
  if (input % 3 == 0) {
    commit.timers.push_back({++last_id_, message.key, input * 8 + kTimerNumber});
  }
}

void Owner::add_pending(Flight& flight, std::vector<Task*> tasks) {
  std::sort(tasks.begin(), tasks.end(),
            [](const Task* a, const Task* b) { return a->arrival < b->arrival; });
  for (Task* task : tasks) {
    if (task->source == Task::Source::timer) flight.commit.timers_fired.push_back(task->id);
    if (task->source != Task::Source::pending) task->id = ++last_id_;
    task->source = Task::Source::pending;
    task->parked = task->unwritten = false;
    flight.commit.pending_put.push_back({task->id, task->message, task->attempt});
    flight.made_durable.push_back(task);
  }
}

void Owner::pass_prefix(Flight& flight) {
  std::vector<Task*> pending;
  for (const Tasks& queue : keys_) {
    for (Task* task : queue) {
      if (task->unwritten && task->source != Task::Source::window) pending.push_back(task);
    }
  }
  for (int topic = 0; topic < kTopics; ++topic) {
    Tasks& window = windows_[at(topic)];
    std::size_t passed = 0;
    for (; passed < window.size() && passes(*window[passed]); ++passed) {
      Task& task = *window[passed];
      if (task.state == Task::State::dropped) continue;
      if (task.message.stream >= 0) {
        flight.commit.marks[mark_place(task.message)] = mark_value(task.message);
      }
      if (task.state == Task::State::finished) continue;
      if (world_.mutant == Mutant::offset_before_unit && task.state == Task::State::running) {
        task.source = Task::Source::nowhere;
      } else {
        pending.push_back(&task);
      }
    }
    flight.commit.next[at(topic)] =
        passed < window.size() ? window[passed]->offset : position_[at(topic)];
    window.erase(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(passed));
  }
  add_pending(flight, std::move(pending));
}

bool Owner::build_commit() {
  if (flight_) return false;
  const std::array<std::int64_t, kTopics> before = world_.database[at(shard_)].next;
  Flight flight;
  Commit& commit = flight.commit;
  commit.epoch = epoch_;
  commit.commit_no = commit_no_;
  commit.timers_fired.swap(late_fired_);
  choose_included();
  pass_prefix(flight);
  for (Task* task : finished_) {
    if (task->included) add_result(commit, *task);
  }
  std::erase_if(finished_, [](const Task* task) { return task->included; });
  for (const Message& letter : redrives_) {
    commit.dead_remove.push_back(letter);
    if (world_.mutant == Mutant::redrive_old_id && letter.stream >= 0) {
      commit.outgoing.push_back(letter);
      commit.outgoing.back().position.seq = letter.position.seq;
    } else {
      send(commit, plugin_of(shard_) == kA ? kInboxA : kInboxB, letter.key, letter.logical);
    }
  }
  redrives_.clear();
  if (world_.mutant == Mutant::acked_before_written) acked_ = seq_;
  commit.seq = seq_;
  commit.acked = acked_;
  const bool nothing = commit.outgoing.empty() && commit.states.empty() && commit.dead.empty() &&
                       commit.pending_put.empty() && commit.pending_remove.empty() &&
                       commit.timers_fired.empty() && commit.dead_remove.empty() &&
                       commit.next == before && acked_ == acked_committed_;
  if (nothing) return false;
  if (world_.mutant == Mutant::publish_before_commit) {
    outbox_.insert(outbox_.end(), commit.outgoing.begin(), commit.outgoing.end());
  }
  flight_ = std::move(flight);
  return true;
}

bool Owner::build_commit_apart() {
  if (world_.mutant != Mutant::parked_apart || apart_) return false;
  const auto found = std::find_if(finished_.begin(), finished_.end(), [](const Task* task) {
    return task->source == Task::Source::pending;
  });
  if (found == finished_.end()) return false;
  Flight flight;
  flight.commit.apart = true;
  flight.commit.epoch = epoch_;
  add_result(flight.commit, **found);
  flight.commit.seq = seq_;
  finished_.erase(found);
  apart_ = std::move(flight);
  return true;
}

bool Owner::carry_out() {
  const bool second = apart_ && !apart_->carried_out && (!flight_ || random_.chance(0.5));
  std::optional<Flight>& flight = second ? apart_ : flight_;
  if (!flight || flight->carried_out) return false;
  flight->carried_out = world_.database[at(shard_)].apply(flight->commit, world_.mutant);
  return true;
}

bool Owner::take_answer() {
  const bool second = apart_ && apart_->carried_out && (!flight_ || random_.chance(0.5));
  std::optional<Flight>& flight = second ? apart_ : flight_;
  if (!flight || !flight->carried_out) return false;
  if (!*flight->carried_out) {
    alive_ = false;  // fenced: everything in memory is dropped
    return true;
  }
  const Commit& commit = flight->commit;
  if (!commit.apart) {
    ++commit_no_;
    acked_committed_ = commit.acked;
  }
  if (world_.mutant != Mutant::publish_before_commit) {
    outbox_.insert(outbox_.end(), commit.outgoing.begin(), commit.outgoing.end());
  }
  timers_.insert(timers_.end(), commit.timers.begin(), commit.timers.end());
  for (Task* task : flight->made_durable) task->durable = !task->unwritten;
  flight.reset();
  return true;
}

bool Owner::publish(double repeat, double gap) {
  if (outbox_.empty()) return false;
  const Message message = outbox_.front();
  outbox_.pop_front();
  world_.log.append(message);
  if (random_.chance(repeat)) world_.log.append(message);
  if (random_.chance(gap)) {
    Message marker;
    marker.topic = message.topic;
    world_.log.partitions[at(marker.topic)][at(message.key % kPartitions)].push_back(marker);
  }
  sent_.push_back(message);
  return true;
}

bool Owner::take_acknowledgement() {
  if (sent_.empty()) return false;
  if (sent_.front().stream == shard_) acked_ = std::max(acked_, sent_.front().position.seq);
  sent_.pop_front();
  return true;
}

/// The new revision waits for some of what runs, and runs the rest again.
void Owner::take_revision() {
  for (Tasks& queue : keys_) {
    for (auto task = queue.begin(); task != queue.end(); ++task) {
      if ((*task)->state != Task::State::running || random_.chance(0.5)) continue;
      (*task)->state = Task::State::queued;
      (*task)->parked = false;
      if (world_.mutant != Mutant::reload_drops) continue;
      (*task)->state = Task::State::dropped;
      queue.erase(task);
      break;
    }
  }
}

void Owner::redrive(const Message& letter) {
  const bool known = std::any_of(redriven_.begin(), redriven_.end(),
                                 [&](const Message& other) { return other.same_id(letter); });
  if (known && world_.mutant != Mutant::redrive_twice) return;
  redriven_.push_back(letter);
  redrives_.push_back(letter);
}

void Owner::kill(bool carries_out) {
  if (carries_out && alive_) carry_out();
  alive_ = false;
}

bool Owner::quiet() const {
  if (flight_ || apart_ || !finished_.empty() || !outbox_.empty() || !sent_.empty()) return false;
  if (!timers_.empty() || !redrives_.empty() || !late_fired_.empty()) return false;
  if (acked_ != acked_committed_) return false;
  for (const Tasks& queue : keys_) {
    if (!queue.empty()) return false;
  }
  for (int topic = 0; topic < kTopics; ++topic) {
    const auto& records = world_.log.partitions[at(topic)][at(shard_ % kPartitions)];
    const bool read = position_[at(topic)] >= static_cast<std::int64_t>(records.size());
    if (reads(topic) && (!read || !windows_[at(topic)].empty())) return false;
  }
  return true;
}

}  // namespace host::model
