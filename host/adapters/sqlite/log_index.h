#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/ports/log.h"

namespace host::sqlite {

/// Records of one partition that one round committed, kept for readers that are up to date.
using SharedBatch = std::shared_ptr<const std::vector<Record>>;

/// One call of fetch(). `callback` is touched on `executor` only; empty: answered or cancelled.
struct FetchCall {
  std::string topic;
  PartitionNumber partition = 0;
  Offset from = 0;
  std::size_t max_bytes = 0;
  Executor& executor;
  ports::Log::FetchCallback callback;

  static void answer(std::shared_ptr<FetchCall> call, Result<ports::Fetched> answer);
};

/// What is known of the log without reading it: topics, where their partitions begin and end, the
/// newest batches, and who waits for the next. Changed by the writer after its COMMIT; asked by
/// fetches. Holds as much as is committed, so an answer from here is an answer from the disk.
/// Thread-safe.
class LogIndex {
 public:
  struct Partition {
    std::int64_t topic = 0;  // row id
    Offset start = 0;
    Offset end = 0;
  };

  /// A topic as stored; `partitions[p]` are start and end of partition p.
  void set_topic(std::int64_t id, const ports::TopicSettings& settings,
                 const std::vector<std::pair<Offset, Offset>>& partitions);
  std::optional<Partition> find(const std::string& topic, PartitionNumber partition) const;
  std::vector<std::pair<std::int64_t, ports::TopicSettings>> topics() const;

  /// After the COMMIT that wrote it. Answers who waited for it.
  void published(const std::string& topic, PartitionNumber partition, SharedBatch batch);
  /// After retention.
  void trimmed(const std::string& topic, PartitionNumber partition, Offset start);

  /// Answers from memory, or keeps the call until there is something. True: the caller must read
  /// the disk.
  bool fetch(const std::shared_ptr<FetchCall>& call);
  void forget(const FetchCall* call);

  /// Answers all who wait, and whoever comes, with unavailable.
  void stop();
  bool stopped() const;

 private:
  struct State {
    std::int64_t topic = 0;
    Offset start = 0;
    Offset end = 0;
    std::deque<SharedBatch> recent;
    std::list<std::shared_ptr<FetchCall>> waiting;
  };
  struct Topic {
    std::int64_t id = 0;
    ports::TopicSettings settings;
    std::vector<State> partitions;
  };
  State* state(const std::string& topic, PartitionNumber partition);
  const State* state(const std::string& topic, PartitionNumber partition) const;
  void remember(State& state, SharedBatch batch);

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, Topic> topics_;
  std::deque<std::pair<State*, std::size_t>> remembered_;  // oldest first; bytes of each
  std::size_t remembered_bytes_ = 0;
  bool stopped_ = false;
};

Error log_is_stopped();
Error below_start(const std::string& topic, PartitionNumber partition, Offset from, Offset start);
Error no_such_partition(const std::string& topic, PartitionNumber partition);

}  // namespace host::sqlite
