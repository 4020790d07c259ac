#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/adapters/kafka/topics.h"
#include "host/base/executor.h"

namespace host::kafka {

/// A fetch that waits for its answer. The callback is looked at on `executor` alone: who destroys
/// the handle takes it away.
struct FetchCall {
  std::string topic;
  PartitionNumber partition = 0;
  Offset from = 0;
  std::size_t max_bytes = 0;
  Executor& executor;
  ports::Log::FetchCallback callback;

  static void answer(std::shared_ptr<FetchCall> call, Result<ports::Fetched> with);
};

/// One consumer, to which partitions are assigned by hand, each from the offset that was asked for.
/// A consumer holds a partition once, so who reads it from another place needs another reader.
/// It reads ahead, so many bytes of a partition; then the partition is given back until somebody
/// has taken them: a consumer whose queue is full stands still for a second, and pausing loses
/// offsets. Thread-safe.
class Reader {
 public:
  /// Errors: invalid (a setting).
  static Result<std::unique_ptr<Reader>> make(const Options& options, Topics& topics);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// False: the partition is read from another place here.
  bool fetch(const std::shared_ptr<FetchCall>& call);
  void forget(const FetchCall* call);
  /// What waits is answered `unavailable`. Idempotent.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  using Place = std::pair<std::string, PartitionNumber>;
  struct Cursor {
    enum class State {
      opening,   // its offset is to be looked at
      assigned,  // records come
      released,  // it has read far enough ahead
    };
    State state = State::opening;
    bool held = false;    // by the consumer
    Offset next = 0;      // of the next answer
    Offset position = 0;  // of what comes next
    Offset end = 0;       // of the partition, as the broker said with the last records
    std::deque<Record> records;
    std::size_t bytes = 0;
    std::vector<std::shared_ptr<FetchCall>> waiting;  // for what lies at `next`
    Clock::time_point used = Clock::now();

    /// There is something to answer with: records, or an end of the partition without any.
    bool ready() const { return !records.empty() || next < position; }
  };

  Reader(const Options& options, Topics& topics) : options_(options), topics_(topics) {}
  Result<void> renew();
  void run();
  void tend();
  void open(const Place& place);
  void hold(const Place& place, Offset at);
  void release(const Place& place);
  void take(MessageHandle message);
  void failed(const rd_kafka_message_t& message);
  void serve();
  Offset known_end(const Place& place, Offset before) const;
  static ports::Fetched cut(Cursor& cursor, std::size_t max_bytes);
  void wake();

  const Options options_;
  Topics& topics_;
  ClientHandle client_;   // of its thread
  QueueHandle doorbell_;  // guarded by mutex_: wakes the thread out of its poll
  std::mutex mutex_;
  std::map<Place, Cursor> cursors_;  // guarded by mutex_
  bool stopped_ = false;             // guarded by mutex_
  bool rung_ = false;                // guarded by mutex_: tend() has something to do
  std::thread thread_;
};

}  // namespace host::kafka
