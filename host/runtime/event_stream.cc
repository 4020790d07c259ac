#include "host/runtime/event_stream.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "host/core/partition.h"

namespace host::runtime {
namespace {

constexpr std::size_t kFetchBytes = 256u << 10;
constexpr Duration kKeepAlive = std::chrono::seconds(15);
constexpr Duration kFetchAgain = std::chrono::milliseconds(500);

/// "data:" lines of one event; a payload with line breaks becomes several.
std::string event(const std::string& id, std::string_view data) {
  std::string out = id.empty() ? "" : "id: " + id + "\n";
  for (std::size_t at = 0; at <= data.size();) {
    // A carriage return ends a line for readers of events, too.
    const std::size_t end = std::min(data.find_first_of("\r\n", at), data.size());
    out += "data: " + std::string(data.substr(at, end - at)) + "\n";
    at = end + (data.substr(std::min(end, data.size()), 2) == "\r\n" ? 2 : 1);
  }
  return out + "\n";
}

}  // namespace

EventStream::EventStream(const Environment& environment, Executor& lane, PluginCode& code,
                         Source source, std::shared_ptr<ports::HttpStream> out,
                         std::function<void()> ended)
    : env_(environment),
      lane_(lane),
      code_(code),
      source_(std::move(source)),
      out_(std::move(out)),
      ended_(std::move(ended)) {}

void EventStream::start(const std::string& last_event_id) {
  out_->on_close([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->stop();
  });
  keep_alive();
  if (source_.topic.empty()) {
    tick();
    return;
  }
  write(": following\n\n", nullptr);
  if (source_.key) {
    partitions_[partition_of(*source_.key, env_.identity.partitions)];
  } else {
    for (PartitionNumber p = 0; p < env_.identity.partitions; ++p) partitions_[p];
  }
  resume_from(last_event_id);
}

void EventStream::resume_from(const std::string& id) {
  std::map<PartitionNumber, Offset> wanted;
  const char* at = id.data();
  const char* const end = at + id.size();
  while (at < end) {
    PartitionNumber number = 0;
    Offset offset = 0;
    const auto first = std::from_chars(at, end, number);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') break;
    const auto second = std::from_chars(first.ptr + 1, end, offset);
    if (second.ec != std::errc{}) break;
    wanted[number] = offset;
    at = second.ptr < end ? second.ptr + 1 : end;
  }
  unopened_ = partitions_.size();
  for (auto& [number, partition] : partitions_) {
    const auto known = wanted.find(number);
    open(number, known == wanted.end() ? -1 : known->second);
  }
}

void EventStream::open(PartitionNumber number, Offset wanted) {
  env_.log.range(source_.topic, number, lane_,
                 [weak = weak_from_this(), number, wanted](Result<ports::Log::Range> range) {
                   const auto self = weak.lock();
                   if (!self || self->stopped_) return;
                   if (!range) {
                     self->lane_.post_after(kFetchAgain, [weak, number, wanted] {
                       const auto again = weak.lock();
                       if (again && !again->stopped_) again->open(number, wanted);
                     });
                     return;
                   }
                   self->opened(number, wanted, *range);
                 });
}

void EventStream::opened(PartitionNumber number, Offset wanted, ports::Log::Range range) {
  Offset from = wanted < 0 ? range.end : std::min(wanted, range.end);
  if (from < range.start) {
    write("event: gap\ndata: {}\n\n", nullptr);
    from = range.end;
  }
  const bool first = std::exchange(partitions_[number].next, from) < 0;
  if (unopened_ == 0) {
    fetch(number);
  } else if (first && --unopened_ == 0) {
    // Not before all are known: an event's id that left one out would lose that one's records.
    for (auto& [other, partition] : partitions_) fetch(other);
  }
}

void EventStream::fetch(PartitionNumber number) {
  Partition& partition = partitions_[number];
  partition.fetch =
      env_.log.fetch(source_.topic, number, partition.next, kFetchBytes, lane_,
                     [weak = weak_from_this(), number](Result<ports::Fetched> result) {
                       const auto self = weak.lock();
                       if (self && !self->stopped_) self->fetched(number, std::move(result));
                     });
}

void EventStream::fetched(PartitionNumber number, Result<ports::Fetched> result) {
  Partition& partition = partitions_[number];
  partition.fetch.reset();
  if (!result) {
    const Offset from = partition.next;
    lane_.post_after(kFetchAgain, [weak = weak_from_this(), number, from] {
      const auto self = weak.lock();
      if (self && !self->stopped_) self->open(number, from);
    });
    return;
  }
  if (source_.has_map && !find_route()) {
    stop();  // new code has no such stream
    return;
  }
  std::string text;
  for (Record& record : result->records) {
    partition.next = record.offset + 1;
    if (source_.key && record.key != source_.key) continue;
    if (std::optional<std::string> data = map(std::move(record))) text += event(id(), *data);
  }
  partition.next = std::max(partition.next, result->next);
  if (text.empty()) {
    fetch(number);
    return;
  }
  write(std::move(text), [weak = weak_from_this(), number] {
    const auto self = weak.lock();
    if (self && !self->stopped_) self->fetch(number);
  });
}

std::optional<std::string> EventStream::map(Record record) {
  if (!source_.has_map) return std::move(record.payload);
  ports::Call call = source_.call;
  call.kind = ports::Call::Kind::stream_map;
  call.now = record.time;
  Message message;
  message.id =
      record.topic + "/" + std::to_string(record.partition) + "/" + std::to_string(record.offset);
  message.topic = record.topic.substr(env_.topic_prefix.size());
  message.key = std::move(record.key);
  message.payload = std::move(record.payload);
  message.headers = std::move(record.headers);
  message.time = record.time;
  call.message = std::make_shared<const Message>(std::move(message));
  const std::shared_ptr<ports::Engine> engine = code_.engine();
  ports::Engine::Started started = engine->start(std::move(call));
  if (Result<void> checked = code_.check(engine.get()); !checked) {
    env_.logger.log(ports::LogLevel::error, "the plugin cannot be loaded any more",
                    {{"plugin", code_.manifest().name}, {"error", checked.error().to_string()}});
  }
  if (!started.step.mapped || started.step.mapped->empty()) return std::nullopt;
  return std::move(*started.step.mapped);
}

bool EventStream::find_route() {
  const std::vector<Manifest::Route>& routes = code_.manifest().routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].name() != source_.route || !routes[i].stream) continue;
    source_.call.route = i;
    return true;
  }
  return false;
}

std::string EventStream::id() const {
  std::string out;
  for (const auto& [number, partition] : partitions_) {
    if (partition.next < 0) continue;
    if (!out.empty()) out += "_";
    out += std::to_string(number) + "-" + std::to_string(partition.next);
  }
  return out;
}

void EventStream::tick() {
  if (stopped_) return;
  if (!find_route()) {
    stop();
    return;
  }
  call_ = std::make_shared<HttpCall>(
      env_, lane_, code_, std::chrono::seconds(30),
      [weak = weak_from_this()](const auto&, ports::HttpOutcome&& outcome) {
        const auto self = weak.lock();
        if (!self || self->stopped_) return;
        if (outcome.in_parts) {
          self->call_->cancel();
          outcome.response = problem(500, "an event is no iterator");
        }
        const bool good = !outcome.failed && outcome.response.status < 400;
        std::string text = event("", outcome.response.body);
        if (!good) text.insert(0, "event: problem\n");
        self->write(std::move(text), [weak] {
          const auto waiting = weak.lock();
          if (!waiting || waiting->stopped_) return;
          waiting->lane_.post_after(waiting->source_.every, [weak] {
            if (const auto again = weak.lock()) again->tick();
          });
        });
      });
  ports::Call call = source_.call;
  call.now = call.wall_clock = env_.clock.now();
  call_->start(std::move(call));
}

void EventStream::keep_alive() {
  lane_.post_after(kKeepAlive, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    if (self->writes_.empty()) self->write(": alive\n\n", nullptr);
    self->keep_alive();
  });
}

void EventStream::write(std::string text, UniqueFunction<void()> then) {
  writes_.emplace_back(std::move(text), std::move(then));
  pump_writes();
}

void EventStream::pump_writes() {
  if (writing_ || stopped_ || writes_.empty()) return;
  writing_ = true;
  auto [text, then] = std::move(writes_.front());
  writes_.pop_front();
  out_->write(std::move(text),
              [weak = weak_from_this(), then = std::move(then)](bool alive) mutable {
                const auto self = weak.lock();
                if (!self) return;
                self->writing_ = false;
                if (!alive) {
                  self->stop();
                  return;
                }
                if (then) then();
                self->pump_writes();
              });
}

void EventStream::stop() {
  if (stopped_) return;
  stopped_ = true;
  const auto self = shared_from_this();
  partitions_.clear();
  writes_.clear();
  if (call_) call_->cancel();
  out_->finish();
  ended_();
}

}  // namespace host::runtime
