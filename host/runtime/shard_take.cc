// How messages come into a shard: from the log, from pending rows, from timers and from `every`.
#include <algorithm>

#include "host/core/partition.h"
#include "host/runtime/records.h"
#include "host/runtime/recycled.h"
#include "host/runtime/sabotage.h"
#include "host/runtime/shard.h"

namespace host::runtime {
namespace {

constexpr Duration kFetchAgain = std::chrono::milliseconds(500);
// Records in one go. Between them the lane commits: what waits long gets cold in the caches.
constexpr std::size_t kTakenInARow = 32;
constexpr Duration kTakeAgain = std::chrono::milliseconds(50);

std::string id_in_log(const Record& record) {
  std::string id;
  id.reserve(record.topic.size() + 32);
  id += record.topic;
  append_number(id += '/', record.partition);
  append_number(id += '/', record.offset);
  return id;
}

}  // namespace

ItemPtr Shard::new_item(Item::From from, Time now) {
  auto item = std::allocate_shared<Item>(Recycled<Item>());
  item->from = from;
  item->arrival = next_arrival_++;
  item->taken = now;
  return item;
}

bool Shard::reads(const std::string& topic) const {
  const Manifest& manifest = code_.manifest();
  if (topic == env_.topic_prefix + manifest.inbox()) return true;
  return std::any_of(manifest.on.begin(), manifest.on.end(),
                     [&](const auto& entry) { return topic == env_.topic_prefix + entry.topic; });
}

void Shard::resolve_start(const std::string& topic, bool from_now) {
  if (const auto known = offsets_.find(topic); known != offsets_.end()) {
    open_input(topic, known->second, true);
    return;
  }
  // Resolved to a number once, and written with the next commit: a restart must not see another.
  env_.log.range(topic, ref_.number, lane_,
                 guarded([this, topic, from_now](Result<ports::Log::Range> range) {
                   if (!reads(topic)) return;  // newer code does not want it any more
                   if (range) {
                     open_input(topic, from_now ? range->end : range->start, false);
                     return;
                   }
                   why_ = range.error().to_string();
                   lane_.post_after(kFetchAgain, guarded([this, topic, from_now] {
                                      why_.clear();
                                      if (reads(topic)) resolve_start(topic, from_now);
                                    }));
                 }));
}

void Shard::open_input(const std::string& topic, Offset from, bool committed) {
  auto input = std::make_unique<TopicInput>();
  input->topic = topic;
  input->inbox = topic == env_.topic_prefix + code_.manifest().inbox();
  input->read_to = from;
  if (committed) input->committed = from;
  const auto [entry, fresh] = inputs_.try_emplace(topic, std::move(input));
  if (!committed) schedule_commit();
  if (fresh) fetch(*entry->second);
}

bool Shard::has_room(const TopicInput& input) const {
  return status_ == Status::running && !input.stopped && !input.removed &&
         input.queue.size() < env_.limits.input_messages && input.bytes < env_.limits.input_bytes;
}

void Shard::fetch(TopicInput& input) {
  if (input.fetch || !input.arrived.empty() || !has_room(input)) return;
  input.why.clear();
  input.fetch = env_.log.fetch(input.topic, ref_.number, input.read_to, env_.limits.fetch_bytes,
                               lane_, guarded([this, &input](Result<ports::Fetched> result) {
                                 fetched(input, std::move(result));
                               }));
}

void Shard::fetched(TopicInput& input, Result<ports::Fetched> result) {
  input.fetch.reset();
  if (status_ != Status::running) return;
  if (result) {
    input.arrived = std::move(result->records);
    input.next_arrived = 0;
    input.arrived_to = result->next;
    input.end = result->end;
    take_arrived(input);
    return;
  }
  if (result.error().code != Error::Code::exhausted || result.error().retryable) {
    input_waits(input, result.error());
    lane_.post_after(kFetchAgain, guarded([this, &input] { fetch(input); }));
    return;
  }
  env_.metrics.add("host_log_gaps_total", 1, {{"plugin", ref_.plugin}, {"topic", input.topic}});
  env_.logger.log(ports::LogLevel::error, "messages were lost by retention before they were read",
                  {{"shard", ref_.to_string()},
                   {"topic", input.topic},
                   {"offset", std::to_string(input.read_to)},
                   {"why", result.error().to_string()}});
  if (!env_.skip_gaps) {
    input.stopped = true;
    input.why = "gap in " + input.topic + ": " + result.error().message +
                "; restart with --on-gap skip to go on behind it";
    return;
  }
  env_.log.range(input.topic, ref_.number, lane_,
                 guarded([this, &input](Result<ports::Log::Range> range) {
                   if (range) input.read_to = std::max(input.read_to, range->start);
                   lane_.post_after(kFetchAgain, guarded([this, &input] { fetch(input); }));
                 }));
}

void Shard::take_arrived(TopicInput& input) {
  const bool wanted = status_ == Status::running && !input.removed;
  const Time now = env_.clock.now();
  schedule_commit();
  for (std::size_t i = 0; wanted && input.next_arrived < input.arrived.size(); ++i) {
    if (i == kTakenInARow) {
      lane_.post(guarded([this, &input] { take_arrived(input); }));
      return;
    }
    if (!take_record(input, std::move(input.arrived[input.next_arrived]), now)) {
      input.arrived.clear();
      lane_.post_after(kFetchAgain, guarded([this, &input] { fetch(input); }));
      return;
    }
    ++input.next_arrived;
  }
  input.arrived.clear();
  if (!wanted) return;
  input.told.clear();
  input.read_to = std::max(input.read_to, input.arrived_to);
  fetch(input);
}

void Shard::input_waits(TopicInput& input, const Error& why) {
  input.why = why.to_string();
  if (why.retryable || input.told == input.why) return;
  input.told = input.why;
  env_.logger.log(ports::LogLevel::error, "a topic cannot be read",
                  {{"shard", ref_.to_string()}, {"topic", input.topic}, {"why", why.to_string()}});
}

bool Shard::take_record(TopicInput& input, Record&& record, Time now) {
  if (record.offset < input.read_to) return true;  // old: a client repeated it
  const ItemPtr item = new_item(Item::From::record, now);
  item->input = &input;
  item->offset = record.offset;
  item->passed = false;
  if (!env_.log.shares_store()) item->origin = parse_origin(record.headers);
  if (seen_before(*item)) {
    input.read_to = item->offset + 1;
    ++meter_.counts.duplicates;
    return true;
  }
  item->message = message_of(input, std::move(record));
  const auto* subscription = code_.manifest().find_subscription(item->message.topic);
  Result<ports::Engine::Inspected> inspected = ports::Engine::Inspected{};
  if (subscription != nullptr && (!subscription->key_field.empty() || subscription->once)) {
    inspected = code_.engine()->inspect(*subscription, item->message.payload);
    if (!inspected && inspected.error().code == Error::Code::exhausted) {
      // Others have the memory that it takes to look into it: that is no fault of the message.
      input_waits(input, inspected.error());
      return false;
    }
  }
  input.read_to = item->offset + 1;
  if (item->origin) mark_of(*item) = item->origin->position;
  item->message_bytes = item->message.payload.size();
  input.bytes += item->message_bytes;
  meter_.taken.count(input.topic, item->message_bytes);
  input.queue.push_back(item);
  deliver(item, subscription, std::move(inspected));
  return true;
}

Message Shard::message_of(const TopicInput& input, Record&& record) const {
  Message message;
  const std::string* id = find_header(record.headers, header::kId);
  message.id = id != nullptr ? *id : id_in_log(record);
  message.topic.assign(record.topic, env_.topic_prefix.size());
  message.time = record.time;
  if (input.inbox) {
    if (const std::string* topic = find_header(record.headers, header::kTopic)) {
      message.topic = *topic;
    }
    if (const std::string* time = find_header(record.headers, header::kTime)) {
      if (Result<Time> original = parse_time(*time)) message.time = *original;
    }
  }
  message.key = std::move(record.key);
  message.payload = std::move(record.payload);
  message.headers = std::move(record.headers);
  return message;
}

void Shard::deliver(const ItemPtr& item, const Manifest::Subscription* subscription,
                    Result<ports::Engine::Inspected> inspected) {
  Message& message = item->message;
  if (subscription == nullptr) {
    refuse(item, "invalid",
           make_error(Error::Code::invalid, "the plugin does not handle topic " + message.topic));
    return;
  }
  if (!inspected) {
    refuse(item, "invalid", inspected.error());
    return;
  }
  if (!subscription->key_field.empty()) message.key = std::move(inspected->key);
  if (inspected->once) {
    item->once_id = message.topic + std::string(1, '\0') + *inspected->once;
    item->once_until = item->taken + subscription->once->within;
  }
  const std::string* ask = find_header(message.headers, header::kAskOnce) != nullptr
                               ? find_header(message.headers, header::kAsk)
                               : nullptr;
  // Where a subscription has `once`, that says what a repeat is.
  if (ask != nullptr && !subscription->once) {
    item->once_id = message.topic + std::string(1, '\1') + *ask;
    item->once_until = item->taken + env_.limits.keep_answers;
  }
  if (message.key) {
    if (const std::string_view problem = key_problem(*message.key); !problem.empty()) {
      refuse(item, "bad_key", make_error(Error::Code::invalid, std::string(problem)));
      return;
    }
    // Also from the inbox: newer code may name another field as key than that which sent it there.
    if (partition_of(*message.key, env_.identity.partitions) != ref_.number) {
      forward_to_inbox(item);
      return;
    }
  }
  if (!item->once_id.empty() && !once_taken_.insert(item->once_id).second) {
    ++meter_.counts.once_dropped;
    item->once_id.clear();
    put_apart(item);
    finish(item, {});
    return;
  }
  if (!item->once_id.empty()) {
    // Asked now, not when its turn comes: it may have to be parked before that.
    loads_once_.push_back(item);
    schedule_loads();
  }
  enqueue(item);
}

void Shard::drop_repeat(const ItemPtr& item) {
  ++meter_.counts.once_dropped;
  once_taken_.erase(item->once_id);
  item->once_id.clear();  // its row is there already
  // It does nothing, so that the order of its key is no concern of it.
  item->box->queue.erase_if([&](const ItemPtr& queued) { return queued == item; });
  make_ready(*item);
  put_apart(item);
  finish(item, {});
}

StreamPosition& Shard::mark_of(const Item& item) {
  const std::string topic = sabotage::kMarksPerStream ? "" : item.input->topic;
  return marks_[{topic, item.origin->stream}];
}

bool Shard::seen_before(const Item& item) {
  return item.origin && item.origin->position <= mark_of(item);
}

void Shard::forward_to_inbox(const ItemPtr& item) {
  Emit emit;
  emit.topic = code_.manifest().inbox();
  emit.key = item->message.key;
  emit.payload = item->message.payload;
  emit.headers = item->message.headers;
  set_header(emit.headers, header::kId, item->message.id);
  set_header(emit.headers, header::kTopic, item->message.topic);
  set_header(emit.headers, header::kTime, format_time(item->message.time));
  item->forwarded = true;
  item->once_id.clear();  // its key's shard remembers it
  put_apart(item);
  UnitOfWork unit;
  unit.emits.push_back(std::move(emit));
  finish(item, std::move(unit));
}

void Shard::refuse(const ItemPtr& item, const char* reason, Error error) {
  if (const auto* subscription = code_.manifest().find_subscription(item->message.topic)) {
    error.file = subscription->file;
    error.line = subscription->line;
  }
  if (error.file.empty()) error.file = code_.manifest().file;
  put_apart(item);
  finish_dead(item, reason, std::move(error));
}

void Shard::take_pending(ports::PendingRow row) {
  next_arrival_ = std::max(next_arrival_, row.id + 1);
  const ItemPtr item = new_item(Item::From::pending, env_.clock.now());
  item->pending_id = row.id;
  item->payload_loaded = false;
  item->due = row.due;
  item->stopped = row.stopped;
  item->last_error = std::move(row.last_error);
  item->message = std::move(row.message);
  item->once_checked = true;
  pending_[row.id] = item;
  enqueue(item);
  ++item->box->pending;
}

void Shard::load_timer_page() {
  const auto [after, id] = timers_.horizon();
  const std::size_t limit = env_.limits.timers_in_memory;
  timers_.begin_page();
  env_.store.load_timers(ref_, after, id, limit, lane_,
                         guarded([this, limit](Result<std::vector<ports::TimerRow>> page) {
                           if (!page) {
                             reclaim(page.error());
                             return;
                           }
                           timers_.add_page(std::move(*page), limit);
                           schedule_timers();
                         }));
}

void Shard::schedule_timers() {
  if (timers_.needs_page()) load_timer_page();
  const std::optional<Time> due = timers_.first_due();
  if (!due) return;
  wake_at(timers_may_come() ? *due : std::max(*due, env_.clock.now() + kTakeAgain), "");
}

bool Shard::timers_may_come() const {
  // While so many messages wait for their turn, due timers stay where they are: after a long stop
  // there may be millions of them.
  return ready_.size() + loading_ + waiting_.size() < env_.limits.timers_in_memory;
}

void Shard::take_due_timers() {
  if (!timers_may_come()) {
    schedule_timers();
    return;
  }
  const Time now = env_.clock.now();
  for (ports::TimerRow& timer : timers_.take_due(now)) {
    const Mailbox& box = mailbox(timer.key);
    // A handler may have cancelled it already and wait for its commit, which removes the row.
    const auto by =
        std::find_if(box.finished.begin(), box.finished.end(),
                     [&](const ItemPtr& done) { return cancels(done->finished.unit, timer); });
    if (by != box.finished.end()) {
      (*by)->finished.cancelled.push_back(std::move(timer));
      continue;
    }
    const ItemPtr item = new_item(Item::From::timer, now);
    item->message = {.kind = Message::Kind::timer,
                     .id = std::move(timer.id),
                     .topic = std::move(timer.name),
                     .key = std::move(timer.key),
                     .payload = std::move(timer.payload),
                     .headers = std::move(timer.headers),
                     .time = timer.due};
    enqueue(item);
  }
  schedule_timers();
}

bool Shard::cancels(const UnitOfWork& unit, const ports::TimerRow& timer) {
  if (unit.state && !unit.state->bytes) return true;  // forgotten, with all timers
  return std::any_of(unit.timers.begin(), unit.timers.end(), [&](const TimerChange& change) {
    const auto* cancel = std::get_if<TimerCancel>(&change);
    return cancel != nullptr &&
           (cancel->id_or_name == timer.id || cancel->id_or_name == timer.name);
  });
}

void Shard::schedule_every() {
  // Held: what is taken may run at once and break its engine, and the manifest is the engine's.
  const std::shared_ptr<ports::Engine> engine = code_.engine();
  for (const Manifest::Every& every : engine->manifest().every) {
    if (!every.per_shard && ref_.number != 0) continue;
    if (every_running_.contains(every.name)) continue;
    auto [next, fresh] = every_next_.try_emplace(every.name, env_.clock.now() + every.period);
    if (fresh) {
      every_dirty_.insert(every.name);
      schedule_commit();
    }
    if (next->second <= env_.clock.now()) {
      take_every(every, next->second);
    } else {
      wake_at(next->second, "");
    }
  }
}

void Shard::take_every(const Manifest::Every& every, Time due) {
  every_running_.insert(every.name);
  const ItemPtr item = new_item(Item::From::every, env_.clock.now());
  // What was missed runs once: the next run is the first one that still lies ahead.
  const auto missed = (item->taken - due) / every.period;
  item->every_next = due + every.period * (missed + 1);
  item->message = {
      .kind = Message::Kind::every,
      .id = ref_.to_string() + "/every/" + every.name + "/" + std::to_string(to_micros(due)),
      .topic = every.name,
      .key = std::nullopt,
      .payload = {},
      .headers = {},
      .time = due};
  enqueue(item);
}

}  // namespace host::runtime
