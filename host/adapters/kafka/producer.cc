#include "host/adapters/kafka/producer.h"

#include <algorithm>
#include <iterator>

#include "host/adapters/kafka/errors.h"
#include "host/adapters/kafka/records.h"
#include "host/adapters/kafka/topics.h"

namespace host::kafka {
namespace {

using std::chrono::steady_clock;

constexpr int kPollMs = 5;
constexpr auto kIdle = std::chrono::milliseconds(100);
constexpr int kPurgeMs = 1000;
constexpr auto kDrain = std::chrono::seconds(1);
constexpr int kWarmUpMs = 2000;
constexpr auto kRest = std::chrono::seconds(2);
constexpr auto kOneByOne = std::chrono::seconds(10);  // longer than who was refused waits
constexpr auto kRenewAgain = std::chrono::seconds(1);

}  // namespace

/// One append, until each of its records has its answer. Of the sending thread.
struct Producer::Call {
  ports::Appends records;
  Executor& executor;
  ports::Log::AppendCallback callback;
  std::vector<Result<Offset>> answers;
  std::size_t bytes = 0;
  std::size_t sent = 0;  // records that are at the client or answered
  std::size_t open = 0;  // records at the client
  /// Where a record was not acknowledged: what follows it there may not stand before it.
  std::map<Place, Error, std::less<>> broken = {};

  void answer(Result<std::vector<Result<Offset>>> with) {
    executor.post([callback = std::move(callback), with = std::move(with)]() mutable {
      callback(std::move(with));
    });
  }
};

/// One record at the client.
struct Producer::Ticket {
  Producer& producer;
  std::shared_ptr<Call> call;
  std::size_t index;
  const ports::Append& record() const { return call->records[index]; }
  PlaceView place() const { return {record().topic, record().partition}; }
};

Producer::Producer(const Options& options, Topics& topics) : options_(options), topics_(topics) {}

Result<std::unique_ptr<Producer>> Producer::make(const Options& options, Topics& topics) {
  std::unique_ptr<Producer> producer(new Producer(options, topics));
  if (Result<void> made = producer->renew(); !made) return made.error();
  producer->thread_ = std::thread([p = producer.get()] { p->run(); });
  return producer;
}

Producer::~Producer() { stop(); }

Result<void> Producer::renew() {
  one_by_one_ = steady_clock::now() < one_by_one_until_;
  Conf conf(options_, {{"enable.idempotence", "true"},
                       // Else what follows a request that was refused is numbered anew and sent:
                       // receivers take the refused records for repeats when they come at last.
                       {"enable.gapless.guarantee", "true"},
                       {"acks", "all"},
                       // Behind a refused request no other is under way; batches grow instead.
                       {"max.in.flight.requests.per.connection", "1"},
                       {"compression.type", "lz4"},
                       {"linger.ms", "0"},  // what comes while a request is under way goes together
                       {"batch.num.messages", one_by_one_ ? "1" : "10000"},
                       {"queue.buffering.max.messages", "500000"},
                       {"queue.buffering.max.kbytes", "262144"},
                       // A record that times out here leaves a hole that ends the client.
                       {"message.timeout.ms", "0"}});
  rd_kafka_conf_set_dr_msg_cb(conf.get(), delivered);
  Result<ClientHandle> made = conf.make(RD_KAFKA_PRODUCER);
  if (!made) return made.error();
  client_ = std::move(*made);
  warm_.clear();
  known_.clear();
  return {};
}

void Producer::append(ports::Appends records, Executor& executor,
                      ports::Log::AppendCallback callback) {
  auto call = std::make_shared<Call>(Call{.records = std::move(records),
                                          .executor = executor,
                                          .callback = std::move(callback),
                                          .answers = {}});
  call->answers.assign(call->records.size(), Offset{-1});
  for (const ports::Append& record : call->records) call->bytes += record.payload.size();
  const std::lock_guard lock(mutex_);
  if (stopped_) return call->answer(log_is_stopped());
  if (bytes_ >= options_.waiting_bytes) {
    return call->answer(
        retryable_error(Error::Code::unavailable, "too much waits for the Kafka brokers"));
  }
  bytes_ += call->bytes;
  waiting_.push_back(std::move(call));
  wake_.notify_one();
}

void Producer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Producer::run() {
  while (true) {
    const std::size_t before = sending_.size();
    {
      std::unique_lock lock(mutex_);
      const auto something = [this] { return stopped_ || !waiting_.empty(); };
      // While answers are on their way the client is polled for them instead.
      if (sending_.empty() && unanswered_ == 0) wake_.wait_for(lock, kIdle, something);
      if (stopped_) break;
      std::move(waiting_.begin(), waiting_.end(), std::back_inserter(sending_));
      waiting_.clear();
    }
    const bool nothing_new = sending_.size() == before;
    if (!time_for_batches()) {
      std::erase_if(sending_, [this](const auto& call) { return send(call); });
    } else if (unanswered_ == 0) {
      mend();
      continue;
    }
    rd_kafka_poll(client_.get(), nothing_new && unanswered_ > 0 ? 1 : 0);
    if (rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) mend();
  }
  end();
  for (const auto& call : sending_) give_up(call, log_is_stopped());
  const std::lock_guard lock(mutex_);
  for (const auto& call : std::exchange(waiting_, {})) call->answer(log_is_stopped());
}

/// False: not all of it is at the client yet.
bool Producer::send(const std::shared_ptr<Call>& call) {
  for (; call->sent < call->records.size(); ++call->sent) {
    const ports::Append& record = call->records[call->sent];
    Result<Offset>& answer = call->answers[call->sent];
    const PlaceView place(record.topic, record.partition);
    if (const auto broken = call->broken.find(place); broken != call->broken.end()) {
      answer = broken->second;
      continue;
    }
    if (std::optional<Error> why = no_place_for(record)) {
      if (why->retryable) call->broken.emplace(place, *why);
      answer = *std::move(why);
      continue;
    }
    // A broker that knows nothing of this client in a partition would take its second request
    // although it refused the first, which would never be there, or behind it.
    auto known = known_.find(place);
    if (known != known_.end() && !known->second) return false;
    if (known == known_.end()) known = known_.emplace(place, false).first;
    warm_up(record.topic);
    auto ticket = std::make_unique<Ticket>(Ticket{*this, call, call->sent});
    const rd_kafka_resp_err_t code = produce(*ticket);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      (void)ticket.release();  // delivered() has it
      ++call->open;
      ++unanswered_;
      continue;
    }
    if (!known->second) known_.erase(known);
    // There is room again, or a new client, soon.
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL) return false;
    failed(*ticket, code, true);
  }
  settle(call);
  return true;
}

/// A topic that was there once is not missed at once: brokers that have just started may not know
/// it yet.
std::optional<Error> Producer::no_place_for(const ports::Append& record) {
  if (const auto resting = resting_.find(record.topic); resting != resting_.end()) {
    if (steady_clock::now() < resting->second.until) return resting->second.why;
    resting_.erase(resting);
  }
  auto found = found_.find(record.topic);
  if (found == found_.end()) {
    const Result<PartitionNumber> count = topics_.partitions(record.topic);
    if (!count && count.error().code != Error::Code::not_found) {
      rest(record.topic, count.error());
      return count.error();
    }
    if (!count) return no_such_partition(record.topic, record.partition);
    found = found_.emplace(record.topic, *count).first;
  }
  if (record.partition >= 0 && record.partition < found->second) return std::nullopt;
  return no_such_partition(record.topic, record.partition);
}

/// The client asks who leads a topic's partitions when it first has a record for it, and again only
/// a second later: so it is asked before.
void Producer::warm_up(const std::string& topic) {
  if (!warm_.insert(topic).second) return;
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr);
  const rd_kafka_metadata_t* found = nullptr;
  if (rd_kafka_metadata(client_.get(), 0, handle, &found, kWarmUpMs) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_metadata_destroy(found);
  }
  rd_kafka_topic_destroy(handle);
}

rd_kafka_resp_err_t Producer::produce(Ticket& ticket) {
  const ports::Append& record = ticket.record();
  HeadersHandle headers = to_headers(record.headers);
  const char* key = record.key ? record.key->c_str() : nullptr;
  const std::size_t key_size = record.key ? record.key->size() : 0;
  const rd_kafka_resp_err_t code = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_TOPIC(record.topic.c_str()), RD_KAFKA_V_PARTITION(record.partition),
      RD_KAFKA_V_KEY(key, key_size),
      RD_KAFKA_V_VALUE(const_cast<char*>(record.payload.data()), record.payload.size()),
      RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(&ticket), RD_KAFKA_V_END);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) (void)headers.release();  // the client's own
  return code;
}

void Producer::delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  const std::unique_ptr<Ticket> ticket(static_cast<Ticket*>(message->_private));
  Producer& self = ticket->producer;
  Call& call = *ticket->call;
  --self.unanswered_;
  --call.open;
  const auto known = self.known_.find(ticket->place());
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    call.answers[ticket->index] = Offset{message->offset};
    known->second = true;
  } else {
    if (refuses_request(message->err)) self.one_by_one_until_ = steady_clock::now() + kOneByOne;
    if (!known->second) self.known_.erase(known);
    self.failed(*ticket, message->err, self.one_by_one_);
  }
  self.settle(ticket->call);
}

/// `alone`: it was not one of several in a request.
void Producer::failed(const Ticket& ticket, rd_kafka_resp_err_t code, bool alone) {
  const std::string& topic = ticket.record().topic;
  Error error = to_error(code, "a record for topic " + topic);
  error.retryable = !refused_for_good(code, alone);
  if (error.retryable) {
    ticket.call->broken.emplace(ticket.place(), error);
    const bool purged =
        code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    if (!purged && !refuses_request(code)) rest(topic, error);
  }
  ticket.call->answers[ticket.index] = std::move(error);
}

void Producer::rest(const std::string& topic, const Error& why) {
  resting_.insert_or_assign(topic, Rest{why, steady_clock::now() + kRest});
  warm_.erase(topic);
}

/// What of the call is not at the client ends so.
void Producer::give_up(const std::shared_ptr<Call>& call, const Error& why) {
  for (; call->sent < call->records.size(); ++call->sent) call->answers[call->sent] = why;
  settle(call);
}

void Producer::settle(const std::shared_ptr<Call>& call) {
  if (call->open > 0 || call->sent < call->records.size()) return;
  bytes_ -= call->bytes;
  call->answer(std::move(call->answers));
}

bool Producer::time_for_batches() const {
  return one_by_one_ && steady_clock::now() >= one_by_one_until_;
}

/// Ends the client: what it holds is answered, as unknown where it was sent and its broker does not
/// answer soon. Then there is a new one.
void Producer::mend() {
  std::string why(512, '\0');
  if (rd_kafka_fatal_error(client_.get(), why.data(), why.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    warn("the Kafka producer is made anew", why.c_str());
  }
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE);
  const auto drained = steady_clock::now() + kDrain;
  while (unanswered_ > 0 && steady_clock::now() < drained) rd_kafka_poll(client_.get(), kPollMs);
  end();
  for (Result<void> made = renew(); !made; made = renew()) {
    warn("the Kafka producer cannot be made anew", made.error().to_string());
    const Error error = retryable_error(Error::Code::unavailable, made.error().message);
    for (const auto& call : std::exchange(sending_, {})) give_up(call, error);
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kRenewAgain, [this] { return stopped_; });
    if (stopped_) return;
    sending_.swap(waiting_);
  }
}

void Producer::end() {
  if (!client_) return;
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (unanswered_ > 0) rd_kafka_poll(client_.get(), kPurgeMs);
  client_.reset();
}

void Producer::warn(const char* what, const std::string& why) const {
  if (options_.logger != nullptr) {
    options_.logger->log(ports::LogLevel::warn, what, {{"why", why}});
  }
}

}  // namespace host::kafka
