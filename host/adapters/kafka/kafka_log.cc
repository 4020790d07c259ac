#include "host/adapters/kafka/kafka_log.h"

#include <algorithm>

#include "host/adapters/kafka/errors.h"

namespace host::kafka {
namespace {

constexpr auto kLookForIdle = std::chrono::seconds(10);

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
  if (readers_.size() >= options_.most_readers) {
    FetchCall::answer(call,
                      retryable_error(Error::Code::unavailable,
                                      "topic " + topic + " is read from too many places at once"));
    return std::make_unique<FetchHandle>(nullptr, std::move(call));
  }
  const auto ask = [this](const std::string& of, PartitionNumber number, auto answer) {
    ask_range(of, number, std::move(answer));
  };
  readers_.push_back(std::make_shared<Reader>(options_, *topics_, ask));
  readers_.back()->fetch(call);
  return std::make_unique<FetchHandle>(readers_.back(), std::move(call));
}

void KafkaLog::append(ports::Appends records, Executor& executor, AppendCallback callback) {
  producer_->append(std::move(records), executor, std::move(callback));
}

void KafkaLog::range(const std::string& topic, PartitionNumber partition, Executor& executor,
                     UniqueFunction<void(Result<Range>)> callback) {
  ask_range(topic, partition,
            [&executor, callback = std::move(callback)](Result<Range> range) mutable {
              executor.post([callback = std::move(callback), range = std::move(range)]() mutable {
                callback(std::move(range));
              });
            });
}

void KafkaLog::ask_range(const std::string& topic, PartitionNumber partition,
                         UniqueFunction<void(Result<Range>)> answer) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      asked_.push_back({topic, partition, std::move(answer)});
      wake_.notify_one();
      return;
    }
  }
  answer(log_is_stopped());
}

void KafkaLog::answer_ranges() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, kLookForIdle, [this] { return stopped_ || !asked_.empty(); });
    if (stopped_) break;
    if (asked_.empty()) {
      end_idle_readers(lock);
      continue;
    }
    Asked asked = std::move(asked_.front());
    asked_.pop_front();
    lock.unlock();
    asked.answer(topics_->range(asked.topic, asked.partition));
    lock.lock();
  }
  std::deque<Asked> unasked = std::exchange(asked_, {});
  lock.unlock();
  for (Asked& asked : unasked) asked.answer(log_is_stopped());
}

/// Each is a client with threads and buffers of its own.
void KafkaLog::end_idle_readers(std::unique_lock<std::mutex>& lock) {
  const auto idle = std::stable_partition(readers_.begin(), readers_.end(),
                                          [](const auto& reader) { return !reader->idle(); });
  const std::vector<std::shared_ptr<Reader>> ended(idle, readers_.end());
  readers_.erase(idle, readers_.end());
  lock.unlock();
  for (const auto& reader : ended) reader->stop();
  lock.lock();
}

}  // namespace host::kafka
