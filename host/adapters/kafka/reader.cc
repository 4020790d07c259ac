#include "host/adapters/kafka/reader.h"

#include <algorithm>

#include "host/adapters/kafka/errors.h"
#include "host/adapters/kafka/records.h"

namespace host::kafka {
namespace {

constexpr int kPollMs = 200;
constexpr int kRecordsAtOnce = 1000;
constexpr auto kAbandoned = std::chrono::seconds(30);  // a cursor that nobody asks any more
constexpr auto kFree = std::chrono::seconds(2);        // who comes from elsewhere may have it
constexpr auto kAgain = std::chrono::seconds(1);       // what failed is tried again

PartitionsHandle one(const std::string& topic, PartitionNumber partition, Offset at) {
  PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = at;
  return list;
}

Error beyond_end(const std::string& topic, PartitionNumber partition, Offset from, Offset end) {
  return make_error(Error::Code::corrupt,
                    "topic " + topic + ", partition " + std::to_string(partition) + " ends at " +
                        std::to_string(end) + ", before offset " + std::to_string(from) +
                        " that was read already",
                    "the topic was deleted or lost: restore it, or the database of its time");
}

/// Whether the cluster is to be asked what it means, and says what is wrong if anything is.
bool asks_again(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
      return true;
    default:
      return false;
  }
}

}  // namespace

void FetchCall::answer(std::shared_ptr<FetchCall> call, Result<ports::Fetched> with) {
  Executor& executor = call->executor;
  executor.post([call = std::move(call), with = std::move(with)]() mutable {
    if (ports::Log::FetchCallback callback = std::exchange(call->callback, nullptr)) {
      callback(std::move(with));
    }
  });
}

Reader::Reader(const Options& options, Topics& topics, AskRange ask_range)
    : options_(options), topics_(topics), ask_range_(std::move(ask_range)) {
  thread_ = std::thread([this] { run(); });
}

Reader::~Reader() { stop(); }

/// False: not now, as when a certificate is half written or there are too many threads.
bool Reader::renew() {
  Result<ClientHandle> made =
      Conf(options_, {{"group.id", options_.group},
                      {"enable.auto.commit", "false"},
                      {"enable.auto.offset.store", "false"},
                      {"auto.offset.reset", "error"},  // the database knows the offset
                      {"isolation.level", "read_committed"},
                      // So long an empty answer is waited for, by new partitions too; each names
                      // every partition, which is most of what an idle process does.
                      {"fetch.wait.max.ms", "100"},
                      {"fetch.error.backoff.ms", "50"},
                      {"queued.min.messages", "100000"},
                      // What was fetched of a partition that is given back is thrown away.
                      {"max.partition.fetch.bytes", "131072"},
                      {"queued.max.messages.kbytes", "65536"},
                      {"check.crcs", "true"},
                      {"enable.partition.eof", "true"}})
          .make(RD_KAFKA_CONSUMER);
  if (!made) {
    Error why = made.error();
    why.retryable = true;
    bool news = false;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [place, cursor] : cursors_) news = refuse(cursor, why) || news;
    }
    if (news) warn("there is no Kafka consumer", {{"why", why.message}});
    return false;
  }
  client_ = std::move(*made);
  rd_kafka_poll_set_consumer(client_.get());
  const std::lock_guard lock(mutex_);
  doorbell_.reset(rd_kafka_queue_get_consumer(client_.get()));
  for (auto& [place, cursor] : cursors_) cursor.why.reset();
  return true;
}

void Reader::end_client() {
  {
    const std::lock_guard lock(mutex_);
    doorbell_.reset();
    for (auto& [place, cursor] : cursors_) {
      cursor.held = false;
      cursor.state = Cursor::State::opening;
    }
  }
  client_.reset();
}

void Reader::wake() {
  if (doorbell_) rd_kafka_queue_yield(doorbell_.get());
}

bool Reader::fetch(const std::shared_ptr<FetchCall>& call) {
  const std::lock_guard lock(mutex_);
  if (stopped_) {
    FetchCall::answer(call, log_is_stopped());
    return true;
  }
  const auto [at, fresh] = cursors_.try_emplace({call->topic, call->partition});
  Cursor& cursor = at->second;
  const Clock::time_point now = Clock::now();
  const bool abandoned = cursor.waiting.empty() && now - cursor.used > kFree;
  const bool lost = cursor.state == Cursor::State::lost;
  if (fresh || lost || (cursor.next != call->from && abandoned)) {
    cursor.state = Cursor::State::opening;
    cursor.pause = {};
    cursor.why.reset();
    cursor.records.clear();
    cursor.bytes = 0;
    cursor.next = cursor.position = call->from;
  } else if (cursor.next != call->from) {
    return false;
  }
  cursor.used = now;
  if (cursor.ready()) {
    FetchCall::answer(call, cut(cursor, call->max_bytes));
  } else if (cursor.why) {
    FetchCall::answer(call, *cursor.why);
  } else {
    cursor.waiting.push_back(call);
  }
  const bool hungry = cursor.bytes < options_.read_ahead_bytes / 2;
  if (cursor.state != Cursor::State::assigned && hungry) wake();
  return true;
}

void Reader::forget(const FetchCall* call) {
  const std::lock_guard lock(mutex_);
  const auto at = cursors_.find({call->topic, call->partition});
  if (at == cursors_.end()) return;
  std::erase_if(at->second.waiting, [&](const auto& waiting) { return waiting.get() == call; });
}

bool Reader::idle() {
  const std::lock_guard lock(mutex_);
  return cursors_.empty();
}

void Reader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    stop_.notify_one();
    wake();
  }
  if (thread_.joinable()) thread_.join();
}

bool Reader::stopped() {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void Reader::run() {
  while (!stopped()) {
    if (!client_ && !renew()) {
      std::unique_lock lock(mutex_);
      stop_.wait_for(lock, kAgain, [this] { return stopped_; });
      continue;
    }
    tend();
    MessageHandle message(rd_kafka_consumer_poll(client_.get(), kPollMs));
    for (int n = 0; message && n < kRecordsAtOnce; ++n) {
      take(std::move(message));
      message.reset(rd_kafka_consumer_poll(client_.get(), 0));
    }
    if (message) take(std::move(message));
    serve();
    if (rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      end_client();
    }
  }
  end_client();
  const std::lock_guard lock(mutex_);
  for (auto& [place, cursor] : cursors_) {
    for (auto& call : cursor.waiting) FetchCall::answer(std::move(call), log_is_stopped());
  }
  cursors_.clear();
}

/// Opens, holds and releases partitions as their cursors want it.
void Reader::tend() {
  std::vector<Place> opening, hungry, full, abandoned;
  {
    const std::lock_guard lock(mutex_);
    const Clock::time_point now = Clock::now();
    for (auto& [place, cursor] : cursors_) {
      const bool enough = cursor.bytes >= options_.read_ahead_bytes;
      if (cursor.waiting.empty() && now - cursor.used > kAbandoned) {
        abandoned.push_back(place);
      } else if (cursor.state == Cursor::State::opening && now >= cursor.pause) {
        opening.push_back(place);
      } else if (cursor.state == Cursor::State::assigned && enough) {
        full.push_back(place);
      } else if (cursor.state == Cursor::State::released &&
                 cursor.bytes < options_.read_ahead_bytes / 2) {
        hungry.push_back(place);
      }
    }
  }
  for (const Place& place : abandoned) {
    release(place);
    const std::lock_guard lock(mutex_);
    const auto at = cursors_.find(place);
    if (at->second.waiting.empty()) {
      cursors_.erase(at);
    } else {
      at->second.state = Cursor::State::opening;
      wake();
    }
  }
  for (const Place& place : full) release(place);
  for (const Place& place : opening) open(place);
  for (const Place& place : hungry) {
    Offset at = 0;
    {
      const std::lock_guard lock(mutex_);
      at = cursors_.at(place).position;
    }
    hold(place, at);
  }
}

void Reader::open(const Place& place) {
  release(place);
  Offset from = 0;
  {
    const std::lock_guard lock(mutex_);
    from = cursors_.at(place).position;
  }
  // A negative one has a meaning of its own to the client.
  if (from < 0 || !topics_.knows(place.first, place.second)) return ask(place);
  hold(place, from);
}

/// Asks whether there is something at its offset.
void Reader::ask(const Place& place) {
  Offset from = 0;
  {
    const std::lock_guard lock(mutex_);
    Cursor& cursor = cursors_.at(place);
    cursor.state = Cursor::State::asked;
    from = cursor.position;
  }
  ask_range_(place.first, place.second,
             [weak = weak_from_this(), place, from](const Result<ports::Log::Range>& range) {
               if (const auto self = weak.lock()) self->judge(place, from, range);
             });
}

void Reader::judge(const Place& place, Offset from, const Result<ports::Log::Range>& range) {
  const auto& [topic, partition] = place;
  const std::lock_guard lock(mutex_);
  const auto at = cursors_.find(place);
  if (at == cursors_.end()) return;
  Cursor& cursor = at->second;
  if (cursor.state != Cursor::State::asked || cursor.position != from) return;
  std::optional<Error> why;
  if (!range) {
    why = range.error();
  } else if (from < range->start) {
    why = below_start(topic, partition, from, range->start);
  } else if (from > range->end) {
    why = beyond_end(topic, partition, from, range->end);
  }
  cursor.state = why ? Cursor::State::lost : Cursor::State::opening;
  if (!why) return wake();
  for (auto& call : std::exchange(cursor.waiting, {})) FetchCall::answer(std::move(call), *why);
}

void Reader::hold(const Place& place, Offset at) {
  const PartitionsHandle list = one(place.first, place.second, at);
  const ErrorHandle error(rd_kafka_incremental_assign(client_.get(), list.get()));
  const std::lock_guard lock(mutex_);
  Cursor& cursor = cursors_.at(place);
  cursor.held = !error;
  const bool moved = cursor.position != at;  // asked from elsewhere meanwhile
  cursor.state = error || moved ? Cursor::State::opening : Cursor::State::assigned;
  if (error || moved) wake();
}

void Reader::release(const Place& place) {
  {
    const std::lock_guard lock(mutex_);
    Cursor& cursor = cursors_.at(place);
    if (cursor.state == Cursor::State::assigned) cursor.state = Cursor::State::released;
    if (!std::exchange(cursor.held, false)) return;
  }
  const PartitionsHandle list = one(place.first, place.second, RD_KAFKA_OFFSET_INVALID);
  const ErrorHandle error(rd_kafka_incremental_unassign(client_.get(), list.get()));
  if (error) {
    warn("a partition cannot be given back",
         {{"topic", place.first}, {"why", rd_kafka_error_string(error.get())}});
  }
}

void Reader::take(MessageHandle message) {
  const bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !at_end) return failed(*message);
  const std::lock_guard lock(mutex_);
  const auto at = cursors_.find({rd_kafka_topic_name(message->rkt), message->partition});
  if (at == cursors_.end() || at->second.state != Cursor::State::assigned) return;
  Cursor& cursor = at->second;
  cursor.why.reset();
  if (message->offset < cursor.position) return;
  // Between the last record and the end there may be markers of transactions, and aborted ones.
  cursor.position = at_end ? message->offset : message->offset + 1;
  if (at_end) return;
  cursor.records.push_back(to_record(*message));
  cursor.bytes += size_of(cursor.records.back());
}

void Reader::failed(const rd_kafka_message_t& message) {
  if (options_.logger != nullptr) {
    options_.logger->log(ports::LogLevel::debug, "the Kafka consumer says",
                         {{"why", rd_kafka_message_errstr(&message)}});
  }
  if (message.rkt == nullptr) return;  // of the client or a broker: it tries again by itself
  const Place place(rd_kafka_topic_name(message.rkt), message.partition);
  Error why =
      to_error(message.err, "topic " + place.first + ", partition " + std::to_string(place.second),
               rd_kafka_message_errstr(&message));
  why.retryable = true;
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    const auto at = cursors_.find(place);
    if (at == cursors_.end() || at->second.state != Cursor::State::assigned) return;
    at->second.pause = Clock::now() + kAgain;
    news = !asks_again(message.err) && refuse(at->second, why);
  }
  if (news) warn("a partition cannot be read", {{"why", why.to_string()}});
  release(place);
  ask(place);
}

/// Tells what waits, and what comes until something can be read again. True: that is new.
bool Reader::refuse(Cursor& cursor, const Error& why) {
  const bool news = !cursor.why || cursor.why->message != why.message;
  cursor.why = why;
  for (auto& call : std::exchange(cursor.waiting, {})) FetchCall::answer(std::move(call), why);
  return news;
}

void Reader::warn(const char* what, ports::LogFields fields) const {
  if (options_.logger != nullptr) options_.logger->log(ports::LogLevel::warn, what, fields);
}

ports::Fetched Reader::cut(Cursor& cursor, std::size_t max_bytes) {
  ports::Fetched out;
  std::size_t bytes = 0;
  while (!cursor.records.empty()) {
    const std::size_t size = size_of(cursor.records.front());
    if (!out.records.empty() && bytes + size > max_bytes) break;
    bytes += size;
    out.records.push_back(std::move(cursor.records.front()));
    cursor.records.pop_front();
  }
  cursor.bytes -= bytes;
  cursor.next = cursor.records.empty() ? cursor.position : cursor.records.front().offset;
  out.next = cursor.next;
  out.end = cursor.end;
  return out;
}

/// As the client has it from its fetches; asks nobody.
Offset Reader::known_end(const Place& place, Offset before) const {
  std::int64_t low = 0, high = 0;
  const auto code =
      rd_kafka_get_watermark_offsets(client_.get(), place.first.c_str(), place.second, &low, &high);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? std::max<Offset>(high, 0) : before;
}

void Reader::serve() {
  const std::lock_guard lock(mutex_);
  for (auto& [place, cursor] : cursors_) {
    if (!cursor.ready()) continue;
    cursor.end = known_end(place, cursor.end);
    if (cursor.waiting.empty()) continue;
    cursor.used = Clock::now();
    const ports::Fetched fetched = cut(cursor, cursor.waiting.front()->max_bytes);
    for (auto& call : std::exchange(cursor.waiting, {})) {
      FetchCall::answer(std::move(call), fetched);
    }
  }
}

}  // namespace host::kafka
