#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/base/executor.h"
#include "host/base/result.h"
#include "host/core/message.h"

namespace host::ports {

/// A record that is to be appended to a chosen partition. The log gives offset and time.
struct Append {
  std::string topic;
  PartitionNumber partition = 0;
  std::optional<std::string> key;
  std::string payload;
  Headers headers;
};

/// The records of one append. Shared by who asks for it, who carries it out and who asks again, so
/// nobody changes them.
class Appends {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): it is that vector
  Appends(std::vector<Append> records)
      : records_(std::make_shared<const std::vector<Append>>(std::move(records))) {}
  Appends(std::initializer_list<Append> records) : Appends(std::vector<Append>(records)) {}

  auto begin() const { return records_->begin(); }
  auto end() const { return records_->end(); }
  std::size_t size() const { return records_->size(); }
  bool empty() const { return records_->empty(); }
  const Append& operator[](std::size_t at) const { return (*records_)[at]; }

 private:
  std::shared_ptr<const std::vector<Append>> records_;
};

struct TopicSettings {
  std::string name;
  PartitionNumber partitions = 0;
  Duration keep = std::chrono::hours(24 * 7);  // kForever: never by age
  std::uint64_t max_bytes = 0;                 // of a partition; 0: never by size
  /// Nobody asked for this retention: a topic that is there stays as it is.
  bool only_new = false;
};

struct Fetched {
  std::vector<Record> records;  // ascending offsets, all >= the one asked for; gaps are no error
  Offset next = 0;              // where to fetch on; past the last record, and past a gap
  Offset end = 0;               // of the log, as far as known: for gauges alone; 0: not known
};

/// A durable log: topics of partitions, each an ordered sequence of records with ascending offsets.
/// Nobody may assume that offsets have no gaps (Kafka's have), that an acknowledgement comes at
/// once, or that a record is there once only: a producer's retry may double it where
/// shares_store() is false.
///
/// Thread-safe. Callbacks arrive on the executor that was given, each exactly once, also after
/// stop() (then with `unavailable`). A callback is never called inside the call that takes it.
class Log {
 public:
  virtual ~Log() = default;

  /// True where one transaction covers log and store (embedded): what a commit sends is appended
  /// by that commit itself; there is no outbox and there are no marks.
  virtual bool shares_store() const = 0;

  /// Creates what is missing, with its settings; settings of an existing topic are brought up to
  /// date. Blocks; called at start and before a reload publishes. Errors: invalid when a topic
  /// exists with another partition count (message names topic and both counts); unavailable.
  virtual Result<void> ensure_topics(std::span<const TopicSettings> topics) = 0;

  /// Reads from `from` on; waits as long as nothing is there. At most about `max_bytes`, but at
  /// least one record; none, with a larger `next`, where the log goes on with a gap and no record
  /// behind it (markers of transactions): who kept `from` would take what retention does to those
  /// for a loss. Errors: not_found (no such topic or partition); exhausted and not retryable when
  /// `from` lies below the start of the log, that is records were lost by retention (hint names
  /// the start); unavailable, and whatever is retryable.
  /// The handle cancels: after it is destroyed on `executor`, the callback does not come.
  class Fetch {
   public:
    virtual ~Fetch() = default;
  };
  using FetchCallback = UniqueFunction<void(Result<Fetched>)>;
  [[nodiscard]] virtual std::unique_ptr<Fetch> fetch(const std::string& topic,
                                                     PartitionNumber partition, Offset from,
                                                     std::size_t max_bytes, Executor& executor,
                                                     FetchCallback callback) = 0;

  /// Appends all of `records`. Where shares_store() all or none, in order, durable when the
  /// callback comes; else one by one, in order per partition. The answer has one entry a record:
  /// its offset, or an error. One that is not retryable says that the log refuses this record for
  /// good; a retryable one, that whether it is written is unknown (`timeout`) or that it is not
  /// yet: then none behind it in its partition is acknowledged, and who asks again keeps their
  /// order. The outer error (unavailable, timeout, exhausted for a full disk) means so of all.
  using AppendCallback = UniqueFunction<void(Result<std::vector<Result<Offset>>>)>;
  virtual void append(Appends records, Executor& executor, AppendCallback callback) = 0;

  /// A plugin has read a partition so far, and committed that: a hint, for whoever watches the log
  /// from outside. Where nobody can, nothing.
  virtual void note_read(const std::string& plugin, const std::string& topic,
                         PartitionNumber partition, Offset next) {
    (void)plugin, (void)topic, (void)partition, (void)next;
  }

  struct Range {
    Offset start = 0;  // of the oldest record that is kept
    Offset end = 0;    // the offset that the next record gets
  };
  /// Errors: not_found, unavailable.
  virtual void range(const std::string& topic, PartitionNumber partition, Executor& executor,
                     UniqueFunction<void(Result<Range>)> callback) = 0;
};

}  // namespace host::ports
