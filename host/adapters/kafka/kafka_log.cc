#include "host/adapters/kafka/kafka_log.h"

#include "host/adapters/kafka/errors.h"

namespace host::kafka {
namespace {

constexpr std::size_t kMostReaders = 64;

class FetchHandle final : public ports::Log::Fetch {
 public:
  FetchHandle(std::shared_ptr<Reader> reader, std::shared_ptr<FetchCall> call)
      : reader_(std::move(reader)), call_(std::move(call)) {}
  ~FetchHandle() override {
    call_->callback = nullptr;
    if (reader_) reader_->forget(call_.get());
  }

 private:
  std::shared_ptr<Reader> reader_;
  std::shared_ptr<FetchCall> call_;
};

}  // namespace

Result<std::unique_ptr<KafkaLog>> KafkaLog::make(Options options) {
  std::unique_ptr<KafkaLog> log(new KafkaLog(std::move(options)));
  auto topics = Topics::make(log->options_);
  if (!topics) return topics.error();
  log->topics_ = std::move(*topics);
  auto producer = Producer::make(log->options_, *log->topics_);
  if (!producer) return producer.error();
  log->producer_ = std::move(*producer);
  log->mirror_ = std::make_unique<Mirror>(log->options_);
  log->thread_ = std::thread([l = log.get()] { l->answer_ranges(); });
  return log;
}

KafkaLog::~KafkaLog() { stop(); }

void KafkaLog::stop() {
  std::vector<std::shared_ptr<Reader>> readers;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    readers = readers_;
    wake_.notify_one();
  }
  for (const auto& reader : readers) reader->stop();
  if (producer_) producer_->stop();
  if (mirror_) mirror_->stop();
  if (thread_.joinable()) thread_.join();
}

Result<void> KafkaLog::ensure_topics(std::span<const ports::TopicSettings> topics) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return log_is_stopped();
  }
  return topics_->ensure(topics);
}

std::unique_ptr<ports::Log::Fetch> KafkaLog::fetch(const std::string& topic,
                                                   PartitionNumber partition, Offset from,
                                                   std::size_t max_bytes, Executor& executor,
                                                   FetchCallback callback) {
  auto call = std::make_shared<FetchCall>(FetchCall{.topic = topic,
                                                    .partition = partition,
                                                    .from = from,
                                                    .max_bytes = max_bytes,
                                                    .executor = executor,
                                                    .callback = std::move(callback)});
  const std::lock_guard lock(mutex_);
  if (stopped_) {
    FetchCall::answer(call, log_is_stopped());
    return std::make_unique<FetchHandle>(nullptr, std::move(call));
  }
  for (const auto& reader : readers_) {
    if (reader->fetch(call)) return std::make_unique<FetchHandle>(reader, std::move(call));
  }
  Result<std::unique_ptr<Reader>> made =
      readers_.size() < kMostReaders
          ? Reader::make(options_, *topics_)
          : retryable_error(Error::Code::exhausted,
                            "topic " + topic + " is read from too many places at once");
  if (!made) {
    FetchCall::answer(call, made.error());
    return std::make_unique<FetchHandle>(nullptr, std::move(call));
  }
  readers_.push_back(std::move(*made));
  readers_.back()->fetch(call);
  return std::make_unique<FetchHandle>(readers_.back(), std::move(call));
}

void KafkaLog::append(ports::Appends records, Executor& executor, AppendCallback callback) {
  producer_->append(std::move(records), executor, std::move(callback));
}

void KafkaLog::Asked::answer(Result<Range> with) {
  executor.post([callback = std::move(callback), with = std::move(with)]() mutable {
    callback(std::move(with));
  });
}

void KafkaLog::range(const std::string& topic, PartitionNumber partition, Executor& executor,
                     UniqueFunction<void(Result<Range>)> callback) {
  Asked asked{topic, partition, executor, std::move(callback)};
  const std::lock_guard lock(mutex_);
  if (stopped_) return asked.answer(log_is_stopped());
  asked_.push_back(std::move(asked));
  wake_.notify_one();
}

void KafkaLog::answer_ranges() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !asked_.empty(); });
    if (stopped_) break;
    Asked asked = std::move(asked_.front());
    asked_.pop_front();
    lock.unlock();
    asked.answer(topics_->range(asked.topic, asked.partition));
    lock.lock();
  }
  for (Asked& asked : asked_) asked.answer(log_is_stopped());
  asked_.clear();
}

}  // namespace host::kafka
