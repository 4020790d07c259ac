#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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
/// Its thread waits for nobody but its client: what only the cluster knows is asked elsewhere.
/// It reads ahead, so many bytes of a partition; then the partition is given back until somebody
/// has taken them: a consumer whose queue is full stands still for a second, and pausing loses
/// offsets. Thread-safe.
class Reader : public std::enable_shared_from_this<Reader> {
 public:
  /// Asks the cluster; the answer comes on another thread.
  using AskRange = std::function<void(const std::string& topic, PartitionNumber partition,
                                      UniqueFunction<void(Result<ports::Log::Range>)> answer)>;

  Reader(const Options& options, Topics& topics, AskRange ask_range);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// False: the partition is read from another place here.
  bool fetch(const std::shared_ptr<FetchCall>& call);
  void forget(const FetchCall* call);
  /// Nobody has read here for a while.
  bool idle();
  /// What waits is answered `unavailable`. Idempotent.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  using Place = std::pair<std::string, PartitionNumber>;
  struct Cursor {
    enum class State {
      opening,   // to be assigned, not before `pause`
      asked,     // the cluster is asked whether there is something at its offset
      lost,      // there is not, or nobody says: who fetches again begins anew
      assigned,  // records come
      released,  // it has read far enough ahead
    };
    State state = State::opening;
    bool held = false;  // by the consumer
    Clock::time_point pause{};
    std::optional<Error> why = {};  // it cannot be read, since it last could
    Offset next = 0;                // of the next answer
    Offset position = 0;            // of what comes next
    Offset end = 0;                 // of the partition, as the broker said with the last records
    std::deque<Record> records;
    std::size_t bytes = 0;
    std::vector<std::shared_ptr<FetchCall>> waiting;  // for what lies at `next`
    Clock::time_point used = Clock::now();

    /// There is something to answer with: records, or an end of the partition without any.
    bool ready() const { return !records.empty() || next < position; }
  };

  void run();
  bool stopped();
  bool renew();
  void end_client();
  void tend();
  void open(const Place& place);
  void ask(const Place& place);
  void judge(const Place& place, Offset from, const Result<ports::Log::Range>& range);
  void hold(const Place& place, Offset at);
  void release(const Place& place);
  void take(MessageHandle message);
  void failed(const rd_kafka_message_t& message);
  static bool refuse(Cursor& cursor, const Error& why);
  void warn(const char* what, ports::LogFields fields) const;
  void serve();
  Offset known_end(const Place& place, Offset before) const;
  static ports::Fetched cut(Cursor& cursor, std::size_t max_bytes);
  void wake();

  const Options options_;
  Topics& topics_;
  const AskRange ask_range_;
  ClientHandle client_;   // of its thread
  QueueHandle doorbell_;  // guarded by mutex_: wakes the thread out of its poll
  std::mutex mutex_;
  std::condition_variable stop_;     // ends the wait for another try
  std::map<Place, Cursor> cursors_;  // guarded by mutex_; its thread alone takes some out
  bool stopped_ = false;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace host::kafka
