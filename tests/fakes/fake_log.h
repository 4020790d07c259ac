#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "host/ports/log.h"
#include "host/ports/store.h"
#include "tests/fakes/manual_executor.h"

namespace host::fakes {

/// A log in memory with Kafka's manners, each of them a chance that is drawn from the seed or a
/// handle for one test. It outlives the processes of a simulated world: when an executor is killed,
/// what it had in flight is written or lost, as with a real producer, and its answers are dropped.
/// Appends of one executor stay in order and without holes per partition, as with an idempotent
/// producer. Thread-safe.
class FakeLog : public ports::Log {
 public:
  struct Manners {
    bool shares_store = false;
    double gap = 0;       // an append is followed by a transaction marker: a gap of offsets
    double repeat = 0;    // an append's last records are written twice
    double unassign = 0;  // a fetch fails with `unavailable`
    double unknown = 0;   // an append ends in a timeout, written or not
    double partly = 0;    // records of one partition so end, from one of them on
    Duration delay{};     // answers come up to so much later, in the order of the calls
    std::size_t fetch_records = 0;  // a fetch has 1 to so many records; 0: as many as fit
    std::size_t keep = 0;           // as retention: so many records of a partition; 0: all
  };

  FakeLog(const ManualClock& clock, Manners manners, std::uint64_t seed = 1);
  ~FakeLog() override;

  bool shares_store() const override { return manners_.shares_store; }
  Result<void> ensure_topics(std::span<const ports::TopicSettings> topics) override;
  [[nodiscard]] std::unique_ptr<Fetch> fetch(const std::string& topic, PartitionNumber partition,
                                             Offset from, std::size_t max_bytes, Executor& executor,
                                             FetchCallback callback) override;
  void append(ports::Appends records, Executor& executor, AppendCallback callback) override;
  void range(const std::string& topic, PartitionNumber partition, Executor& executor,
             UniqueFunction<void(Result<Range>)> callback) override;

  // ---- handles ----
  /// Answers of appends wait from now on until release_appends(); their records are written at
  /// once, or not before the release.
  enum class Hold { answers, writes };
  void hold_appends(Hold what);
  void release_appends();
  std::size_t held_appends() const;
  /// The next append that has no failure planned yet ends so.
  void fail_next_append(Error error, bool written);
  /// The next fetch that has no failure planned yet ends so.
  void fail_next_fetch(Error error);
  /// Records that the log refuses for good: the function gives the reason.
  void refuse_when(std::function<std::optional<Error>(const ports::Append&)> reason);
  /// Records that the log does not take now, nor what follows them in their partition in the same
  /// append: the function gives the reason.
  void delay_when(std::function<std::optional<Error>(const ports::Append&)> reason);
  /// Fetches of the partition, also those that wait, fail with `unavailable` until assign().
  void unassign(const std::string& topic, PartitionNumber partition);
  void assign(const std::string& topic, PartitionNumber partition);
  /// As a transaction marker: the next `n` offsets hold no record.
  void add_gap(const std::string& topic, PartitionNumber partition, Offset n = 1);
  /// As retention: what lies before `start` is gone.
  void truncate(const std::string& topic, PartitionNumber partition, Offset start);
  /// From now on every call, also what waits, is answered with `unavailable`; restart() ends it.
  void stop();
  void restart();
  /// Drops what waits for an executor that is about to be destroyed.
  void forget(const Executor& executor);

  // ---- for the tests' eyes ----
  std::vector<Record> records(const std::string& topic) const;  // partition by partition
  std::vector<Record> records(const std::string& topic, PartitionNumber partition) const;
  std::size_t waiting_fetches() const;

  struct Content;
  std::shared_ptr<const Content> backup() const;
  void restore(const std::shared_ptr<const Content>& content);

  /// For FakeStore where shares_store(): all or none, at once.
  std::optional<Error> append_now(const std::vector<ports::Append>& records);
  std::optional<Error> append_now(const std::vector<ports::OutgoingRow>& rows);

 private:
  struct Waiter;
  struct Partition;
  struct Operation;
  struct Unacknowledged;
  struct Producer {
    Time last_due{};
    std::uint64_t lost_up_to = 0;  // operations up to it are lost with one before them
    std::size_t unwritten = 0;
  };
  class Handle;

  Partition* find(const std::string& topic, PartitionNumber partition);
  const Partition* find(const std::string& topic, PartitionNumber partition) const;
  bool draw(double chance);
  std::vector<Result<Offset>> write(const ports::Appends& records, double partly);
  Partition& write_one(const ports::Append& record);
  void written_to(const std::vector<Partition*>& partitions);
  std::optional<Error> refusal(const ports::Append& record) const;
  ports::Fetched gather(const Partition& partition, Offset from, std::size_t max_bytes);
  void wake(Partition& partition);
  void schedule(Executor& executor, UniqueFunction<void()> work);
  void finish(Operation& operation);
  void give(const std::shared_ptr<Waiter>& waiter, Result<ports::Fetched> result);

  const ManualClock& clock_;
  const Manners manners_;
  mutable std::mutex mutex_;  // guards everything below
  std::mt19937_64 random_;
  std::map<std::string, std::vector<Partition>, std::less<>> topics_;
  std::set<std::pair<std::string, PartitionNumber>> unassigned_;
  std::map<const Executor*, Producer> producers_;
  std::uint64_t last_operation_ = 0;
  std::optional<Hold> hold_;
  std::deque<std::shared_ptr<Operation>> held_;
  std::deque<std::pair<Error, bool>> failures_;
  std::deque<Error> fetch_failures_;
  std::function<std::optional<Error>(const ports::Append&)> refuse_;
  std::function<std::optional<Error>(const ports::Append&)> delay_;
  bool stopped_ = false;
};

}  // namespace host::fakes
