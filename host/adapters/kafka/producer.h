#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "host/adapters/kafka/client.h"
#include "host/base/executor.h"
#include "host/ports/log.h"

namespace host::kafka {

class Topics;

/// Appends records: one idempotent producer, whose order within a partition is that of the calls.
/// When the client dies (a fatal error), what was on its way is answered as unknown and a new
/// client takes over. Thread-safe.
class Producer {
 public:
  /// Errors: invalid (a setting).
  static Result<std::unique_ptr<Producer>> make(const Options& options, Topics& topics);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  void append(ports::Appends records, Executor& executor, ports::Log::AppendCallback callback);
  /// What was not sent is answered `unavailable`, what was sent and not acknowledged `timeout`.
  /// Idempotent.
  void stop();

 private:
  struct Call;
  struct Ticket;
  Producer(const Options& options, Topics& topics);

  Result<void> renew();
  void run();
  void send(const std::shared_ptr<Call>& call);
  void warm_up(const std::string& topic);
  bool produce(Ticket& ticket);
  void mend();
  static void delivered(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  static void settle(const std::shared_ptr<Call>& call);

  const Options options_;
  Topics& topics_;
  ClientHandle client_;  // of the sending thread; made and ended by it
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Call>> waiting_;  // guarded by mutex_
  bool stopped_ = false;                       // guarded by mutex_
  std::set<std::string> warm_;                 // topics; of the sending thread
  std::size_t unanswered_ = 0;                 // tickets at the client; of the sending thread
  std::thread thread_;
};

}  // namespace host::kafka
