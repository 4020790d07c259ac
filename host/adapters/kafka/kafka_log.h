#pragma once

#include "host/adapters/kafka/mirror.h"
#include "host/adapters/kafka/producer.h"
#include "host/adapters/kafka/reader.h"

namespace host::kafka {

/// The log on Apache Kafka.
class KafkaLog final : public ports::Log {
 public:
  /// Errors: invalid (a setting). No broker needs to be there yet.
  static Result<std::unique_ptr<KafkaLog>> make(Options options);
  ~KafkaLog() override;

  /// From now on every call, also what waits, is answered `unavailable`. Idempotent.
  void stop();

  bool shares_store() const override { return false; }
  Result<void> ensure_topics(std::span<const ports::TopicSettings> topics) override;
  std::unique_ptr<Fetch> fetch(const std::string& topic, PartitionNumber partition, Offset from,
                               std::size_t max_bytes, Executor& executor,
                               FetchCallback callback) override;
  void append(ports::Appends records, Executor& executor, AppendCallback callback) override;
  void range(const std::string& topic, PartitionNumber partition, Executor& executor,
             UniqueFunction<void(Result<Range>)> callback) override;
  /// Into the consumer group Options::group + "." + plugin.
  void note_read(const std::string& plugin, const std::string& topic, PartitionNumber partition,
                 Offset next) override {
    mirror_->note(plugin, topic, partition, next);
  }

 private:
  explicit KafkaLog(Options options) : options_(std::move(options)) {}
  /// `answer` is called on the thread that asks.
  void ask_range(const std::string& topic, PartitionNumber partition,
                 UniqueFunction<void(Result<Range>)> answer);
  void answer_ranges();
  void end_idle_readers(std::unique_lock<std::mutex>& lock);

  struct Asked {
    std::string topic;
    PartitionNumber partition;
    UniqueFunction<void(Result<Range>)> answer;
  };

  const Options options_;
  std::unique_ptr<Topics> topics_;
  std::unique_ptr<Producer> producer_;
  std::unique_ptr<Mirror> mirror_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Reader>> readers_;  // guarded by mutex_
  std::deque<Asked> asked_;                       // guarded by mutex_
  bool stopped_ = false;                          // guarded by mutex_
  std::thread thread_;                            // asks for ranges and ends readers, which blocks
};

}  // namespace host::kafka
