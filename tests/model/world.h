#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

/// The commit protocol as a model: no host code, only what it must do, small enough to be driven
/// through thousands of random histories a second. This header is what outlives processes: the log
/// and the database.
///
/// The modelled system: plugin A reads foreign records from topic `in`, and for each of them sends
/// messages through topics `x` and `y`, sometimes by way of a timer. Plugin B writes down what it
/// received. Each has an inbox, to which dead letters are redriven.
namespace host::model {

/// A defect that is built in on purpose, to see that the model notices.
enum class Mutant {
  none,
  marks_per_stream,      // not per topic and stream
  marks_without_epoch,   // seq alone
  epoch_without_clock,   // epoch + 1 at a claim
  no_fence,              // a commit demands nothing
  offset_before_unit,    // the prefix passes what still runs, without a pending row
  acked_before_written,  // outgoing rows count as acknowledged when they are committed
  publish_before_commit,
  parked_apart,      // results of parked messages have a commit of their own
  lost_tombstone,    // a finished pending row is not removed
  timer_kept,        // a fired timer is removed one commit later
  redrive_twice,     // asked for twice while the first commit is in flight
  redrive_old_id,    // a redriven message keeps its id and topic
  key_not_blocked,   // messages overtake one that waits for its retry
  results_overtake,  // a result is committed before an earlier one of its key
  reload_drops,      // what runs when a revision changes is dropped and not run again
};

inline constexpr int kPartitions = 2;
inline constexpr int kKeys = 6;
enum Topic { kIn, kX, kY, kInboxA, kInboxB, kTopics };
enum Plugin { kA, kB };
inline constexpr int kShards = 2 * kPartitions;  // of A, then of B

inline int shard_of(Plugin plugin, int key) { return plugin * kPartitions + key % kPartitions; }
inline Plugin plugin_of(int shard) { return shard < kPartitions ? kA : kB; }

struct Position {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;

  auto operator<=>(const Position&) const = default;
};

/// What travels. `logical` names the work for the checks: input * 8 + number of the message.
struct Message {
  int topic = 0;
  int stream = -1;    // sending shard; -1: foreign
  Position position;  // in the stream; of a foreign one (0, offset)
  int key = -1;       // -1: a transaction marker, no message
  int logical = 0;

  bool same_id(const Message& other) const {
    return topic == other.topic && stream == other.stream && position == other.position;
  }
};

struct Log {
  std::array<std::array<std::vector<Message>, kPartitions>, kTopics> partitions;

  void append(const Message& message) {
    partitions[static_cast<std::size_t>(message.topic)]
              [static_cast<std::size_t>(message.key % kPartitions)]
                  .push_back(message);
  }
};

using State = std::vector<Message>;  // of a key: what it received, in order

struct PendingRow {
  std::int64_t id = 0;
  Message message;
  int attempt = 1;
};
struct TimerRow {
  std::int64_t id = 0;
  int key = 0;
  int logical = 0;
};
using MarkPlace = std::pair<int, int>;  // topic, stream

struct Commit {
  std::int64_t epoch = 0;
  std::int64_t commit_no = 0;
  bool apart = false;  // beside the one in flight; of a mutant only
  std::array<std::int64_t, kTopics> next{};
  std::int64_t seq = 0;
  std::int64_t acked = 0;
  std::vector<std::pair<int, State>> states;
  std::vector<PendingRow> pending_put;
  std::vector<std::int64_t> pending_remove;
  std::vector<TimerRow> timers;
  std::vector<std::int64_t> timers_fired;
  std::map<MarkPlace, Position> marks;
  std::vector<Message> outgoing;
  std::vector<Message> dead;
  std::vector<Message> dead_remove;
};

/// A shard as the database has it.
struct ShardRow {
  std::int64_t epoch = 0;
  std::int64_t commit_no = 0;
  std::array<std::int64_t, kTopics> next{};
  std::int64_t seq = 0;
  std::int64_t acked = 0;
  std::array<State, kKeys> states;
  std::map<std::int64_t, PendingRow> pending;
  std::map<std::int64_t, TimerRow> timers;
  std::map<MarkPlace, Position> marks;
  std::vector<Message> outgoing;
  std::vector<Message> dead;

  /// False: fenced, nothing was written.
  bool apply(const Commit& commit, Mutant mutant);
};

struct World {
  Mutant mutant = Mutant::none;
  std::int64_t clock = 100;
  Log log;
  std::array<ShardRow, kShards> database;
};

/// splitmix64: cheap to seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  int below(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
  bool chance(double p) { return static_cast<double>(next() >> 11) * 0x1p-53 < p; }

 private:
  std::uint64_t state_;
};

}  // namespace host::model
