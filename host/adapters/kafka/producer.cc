#include "host/adapters/kafka/producer.h"

#include <chrono>

#include "host/adapters/kafka/errors.h"
#include "host/adapters/kafka/records.h"
#include "host/adapters/kafka/topics.h"
#include "host/base/check.h"

namespace host::kafka {
namespace {

constexpr int kPollMs = 5;
constexpr auto kIdle = std::chrono::milliseconds(100);
constexpr int kPurgeMs = 1000;
constexpr int kWarmUpMs = 2000;

}  // namespace

/// One append, until each of its records has its answer. Of the sending thread.
struct Producer::Call {
  ports::Appends records;
  Executor& executor;
  ports::Log::AppendCallback callback;
  std::vector<Result<Offset>> answers;
  std::size_t open = 0;
  std::optional<Error> unknown = {};  // of a record whose outcome is not known

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
  Conf conf(options_, {{"enable.idempotence", "true"},
                       {"acks", "all"},
                       // A broker that knows nothing of this client in a partition takes its second
                       // request although it refused the first, and the first is lost behind it.
                       {"max.in.flight.requests.per.connection", "1"},
                       {"compression.type", "lz4"},
                       {"linger.ms", "0"},  // what comes while a request is under way goes together
                       {"queue.buffering.max.messages", "500000"},
                       {"queue.buffering.max.kbytes", "262144"},
                       // A record that times out here leaves a hole that ends the client.
                       {"message.timeout.ms", "0"}});
  rd_kafka_conf_set_dr_msg_cb(conf.get(), delivered);
  Result<ClientHandle> made = conf.make(RD_KAFKA_PRODUCER);
  if (!made) return made.error();
  client_ = std::move(*made);
  warm_.clear();
  return {};
}

void Producer::append(ports::Appends records, Executor& executor,
                      ports::Log::AppendCallback callback) {
  auto call = std::make_shared<Call>(Call{.records = std::move(records),
                                          .executor = executor,
                                          .callback = std::move(callback),
                                          .answers = {}});
  const std::lock_guard lock(mutex_);
  if (stopped_) return call->answer(log_is_stopped());
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
    std::deque<std::shared_ptr<Call>> calls;
    {
      std::unique_lock lock(mutex_);
      const auto something = [this] { return stopped_ || !waiting_.empty(); };
      // While answers are on their way the client is polled for them instead.
      if (unanswered_ == 0) wake_.wait_for(lock, kIdle, something);
      if (stopped_) break;
      calls.swap(waiting_);
    }
    for (const auto& call : calls) send(call);
    rd_kafka_poll(client_.get(), calls.empty() && unanswered_ > 0 ? 1 : 0);
    if (rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) mend();
  }
  mend();  // answers what is on its way
  client_.reset();
  const std::lock_guard lock(mutex_);
  for (const auto& call : std::exchange(waiting_, {})) call->answer(log_is_stopped());
}

void Producer::send(const std::shared_ptr<Call>& call) {
  call->open = call->records.size() + 1;  // one more, so that nothing ends it before all are sent
  call->answers.assign(call->records.size(), Offset{-1});
  for (std::size_t i = 0; i < call->records.size(); ++i) {
    if (call->unknown) {  // all are sent again, and none of them may stand before this one
      call->open -= call->records.size() - i;
      break;
    }
    const ports::Append& record = call->records[i];
    const Result<PartitionNumber> count = topics_.partitions(record.topic);
    if (!count || record.partition < 0 || record.partition >= *count) {
      if (!count && count.error().code != Error::Code::not_found) call->unknown = count.error();
      call->answers[i] = no_such_partition(record.topic, record.partition);
      --call->open;
      continue;
    }
    warm_up(record.topic);
    auto ticket = std::make_unique<Ticket>(Ticket{*this, call, i});
    if (produce(*ticket)) {
      (void)ticket.release();  // delivered() has it
      ++unanswered_;
    }
  }
  --call->open;
  settle(call);
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

/// False: it was answered here.
bool Producer::produce(Ticket& ticket) {
  Call& call = *ticket.call;
  const ports::Append& record = call.records[ticket.index];
  while (true) {
    HeadersHandle headers = to_headers(record.headers);
    const char* key = record.key ? record.key->c_str() : nullptr;
    const std::size_t key_size = record.key ? record.key->size() : 0;
    const rd_kafka_resp_err_t code = rd_kafka_producev(
        client_.get(), RD_KAFKA_V_TOPIC(record.topic.c_str()),
        RD_KAFKA_V_PARTITION(record.partition), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE(const_cast<char*>(record.payload.data()), record.payload.size()),
        RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_OPAQUE(&ticket), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      (void)headers.release();  // the client's own
      return true;
    }
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client_.get(), kPollMs);
      const std::lock_guard lock(mutex_);
      if (!stopped_) continue;
    }
    --call.open;
    Error error = to_error(code, "a record for topic " + record.topic);
    if (refused_for_good(code)) {
      error.retryable = false;
      call.answers[ticket.index] = std::move(error);
    } else {
      call.unknown = std::move(error);
    }
    return false;
  }
}

void Producer::delivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  const std::unique_ptr<Ticket> ticket(static_cast<Ticket*>(message->_private));
  Call& call = *ticket->call;
  --ticket->producer.unanswered_;
  --call.open;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    call.answers[ticket->index] = Offset{message->offset};
  } else {
    Error error = to_error(message->err, "a record for topic " + call.records[ticket->index].topic);
    if (refused_for_good(message->err)) {
      error.retryable = false;
      call.answers[ticket->index] = std::move(error);
    } else {
      call.unknown = std::move(error);
    }
  }
  settle(ticket->call);
}

void Producer::settle(const std::shared_ptr<Call>& call) {
  if (call->open > 0) return;
  if (call->unknown) {
    call->answer(std::move(*call->unknown));
  } else {
    call->answer(std::move(call->answers));
  }
}

/// Ends the client: what it holds is answered, as unknown where it was sent already. Then there is
/// a new one.
void Producer::mend() {
  if (options_.logger != nullptr) {
    std::string why(512, '\0');
    if (rd_kafka_fatal_error(client_.get(), why.data(), why.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      options_.logger->log(ports::LogLevel::warn, "the Kafka producer is made anew",
                           {{"why", why.c_str()}});
    }
  }
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (unanswered_ > 0) rd_kafka_poll(client_.get(), kPurgeMs);
  Result<void> made = renew();
  HOST_CHECK(made.ok(), "the same settings make a client again");
}

}  // namespace host::kafka
