#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "host/adapters/kafka/client.h"
#include "host/ports/log.h"

namespace host::kafka {

/// What the cluster knows of topics, and changes to them. Its calls block, at most for
/// Options::answer_within. Thread-safe.
class Topics {
 public:
  static Result<std::unique_ptr<Topics>> make(const Options& options);

  Result<void> ensure(std::span<const ports::TopicSettings> topics);
  /// How many partitions a topic has; asked once. Errors: not_found, unavailable, timeout.
  Result<PartitionNumber> partitions(const std::string& topic);
  /// Whether this partition was seen; asks nobody.
  bool knows(const std::string& topic, PartitionNumber partition);
  Result<ports::Log::Range> range(const std::string& topic, PartitionNumber partition);

 private:
  using Clock = std::chrono::steady_clock;
  explicit Topics(const Options& options) : options_(options) {}
  int wait_ms() const;
  Result<MetadataHandle> metadata(const std::string& topic);
  std::optional<Error> refusal();
  Result<Offset> ask(const std::string& topic, PartitionNumber partition, Offset which,
                     Clock::time_point deadline);
  Result<void> create(std::span<const ports::TopicSettings> topics);
  Result<void> update(const ports::TopicSettings& topic);
  Result<void> wait_for_leaders(std::span<const ports::TopicSettings> topics);

  const Options options_;
  ClientHandle client_;
  std::mutex mutex_;
  std::map<std::string, PartitionNumber> known_;  // guarded by mutex_
};

}  // namespace host::kafka
