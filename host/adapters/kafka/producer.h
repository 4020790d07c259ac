#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "host/adapters/kafka/client.h"
#include "host/base/executor.h"
#include "host/ports/log.h"

namespace host::kafka {

class Topics;

/// Appends records: one idempotent producer, which keeps the order of a call's records in each
/// partition. A record that is not acknowledged has none of its call behind it in its partition:
/// its broker's refusal ends the client (a fatal error), what was on its way is answered as
/// unknown, and a new client takes over. Thread-safe.
class Producer {
 public:
  /// Errors: invalid (a setting).
  static Result<std::unique_ptr<Producer>> make(const Options& options, Topics& topics);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// While too much waits for the brokers it is answered `unavailable`.
  void append(ports::Appends records, Executor& executor, ports::Log::AppendCallback callback);
  /// What was not sent is answered `unavailable`, what was sent and not acknowledged `timeout`.
  /// Idempotent.
  void stop();

 private:
  struct Call;
  struct Ticket;
  using SteadyTime = std::chrono::steady_clock::time_point;
  using Place = std::tuple<std::string, PartitionNumber>;
  using PlaceView = std::tuple<std::string_view, PartitionNumber>;
  /// A topic that did not take a record: it is left alone for a while, because a refusal costs
  /// everybody the client.
  struct Rest {
    Error why;
    SteadyTime until;
  };
  Producer(const Options& options, Topics& topics);

  Result<void> renew();
  void run();
  bool send(const std::shared_ptr<Call>& call);
  std::optional<Error> no_place_for(const ports::Append& record);
  void warm_up(const std::string& topic);
  rd_kafka_resp_err_t produce(Ticket& ticket);
  static void delivered(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  void failed(const Ticket& ticket, rd_kafka_resp_err_t code, bool alone);
  void rest(const std::string& topic, const Error& why);
  void give_up(const std::shared_ptr<Call>& call, const Error& why);
  void settle(const std::shared_ptr<Call>& call);
  bool time_for_batches() const;
  void mend();
  void end();
  void warn(const char* what, const std::string& why) const;

  const Options options_;
  Topics& topics_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Call>> waiting_;  // guarded by mutex_
  bool stopped_ = false;                       // guarded by mutex_
  std::atomic<std::size_t> bytes_ = 0;         // of calls that have no answer

  // Of the sending thread:
  ClientHandle client_;
  std::deque<std::shared_ptr<Call>> sending_;     // not all of a call is at the client yet
  std::size_t unanswered_ = 0;                    // tickets at the client
  std::set<std::string> warm_;                    // topics
  std::map<Place, bool, std::less<>> known_;      // sent to by this client: whether one is there
  std::map<std::string, PartitionNumber> found_;  // partitions of topics that were there once
  std::map<std::string, Rest> resting_;           // topics
  bool one_by_one_ = false;                       // each record is a request of its own
  SteadyTime one_by_one_until_{};
  std::thread thread_;
};

}  // namespace host::kafka
