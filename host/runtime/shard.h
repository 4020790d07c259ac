#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/runtime/batch.h"
#include "host/runtime/effects.h"
#include "host/runtime/entities.h"
#include "host/runtime/environment.h"
#include "host/runtime/item.h"
#include "host/runtime/outbox.h"
#include "host/runtime/plugin_code.h"
#include "host/runtime/shard_meter.h"
#include "host/runtime/timer_queue.h"

namespace host::runtime {

/// What /admin/shards shows of one shard.
struct ShardStatus {
  ShardRef shard;
  std::int64_t epoch = 0;
  std::int64_t lag = 0;  // taken and not committed
  std::size_t pending = 0;
  std::optional<Time> oldest_pending;
  std::size_t timers = 0;  // in memory
  std::size_t outbox = 0;
  std::size_t unfinished = 0;  // running, or handled and not committed
  int lane = 0;
  std::string status;  // "claiming" | "running" | "stopped: WHY" | "waiting: WHY"
};

/// One shard while we own it: takes its messages in, runs them key by key, and commits what they
/// did. The path of a message, and the file that has it:
///   take    (shard_take.cc)    from the log, the pending rows or a timer into its key's mailbox
///   run     (shard_run.cc)     payload, dedupe and state are there: the handler runs, may wait
///   outcome (shard_outcome.cc) it ended: a unit that waits for its commit, a retry, a dead letter
///   collect (shard_commit.cc)  the longest prefix of finished or parked messages is one commit
///   settle  (shard_settle.cc)  the answer of the store: done, again, or everything anew
/// A claim that is lost, or a commit whose outcome is unknown, throws all of this away and reads
/// the shard anew; nothing of it was visible. Destroying a shard is the same. Only on its lane.
class Shard {
 public:
  /// Told when it is fenced, or its claim or commit was not answered: with it the shard stops then,
  /// without what was not committed, until start() claims it anew. Without it does so by itself.
  using Lost = std::function<void()>;

  Shard(ShardRef ref, const Environment& environment, Executor& lane, PluginCode& code,
        Lost lost = nullptr);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Claims the shard and begins. Trouble is retried; it shows in status().
  void start();
  /// Takes nothing new, lets what runs finish until `deadline`, commits, brings what was sent to
  /// the log, then calls `done`: from then on nothing of it reaches the store. What did not finish
  /// runs again at the next claim. A second call replaces the first one's `done`.
  void stop(Time deadline, UniqueFunction<void()> done);
  /// The plugin's code was replaced: subscriptions and `every` are read again.
  void code_changed();
  /// Runs a message again that `retry.last = "stop"` holds. Error: not_found.
  Result<void> release(const std::string& message_id);
  /// What it holds so, with the reason "stopped"; without payload where that is not in memory.
  std::vector<ports::DeadLetter> stopped_messages() const;

  ShardStatus status() const;

 private:
  enum class Status { idle, claiming, running, stopping, stopped };

  // shard.cc: life
  void claim();
  void claimed(Result<ports::ShardImage> image);
  void adopt(ports::ShardImage image);
  void reset();
  void reclaim(const Error& why);
  void halt(const Error& why);
  void check_stopped();
  bool stuck() const;
  void room();
  /// Wraps a callback so that it does nothing once the shard is gone or was reset.
  template <class F>
  auto guarded(F f) {
    return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
      if (!alive.expired()) f(std::forward<decltype(args)>(args)...);
    };
  }

  // shard_take.cc
  void open_input(const std::string& topic, Offset from, bool committed);
  void resolve_start(const std::string& topic, bool from_now);
  void fetch(TopicInput& input);
  void fetched(TopicInput& input, Result<ports::Fetched> result);
  void take_arrived(TopicInput& input);
  void input_waits(TopicInput& input, const Error& why);
  /// False: not now; only the record was taken, and must be fetched again.
  bool take_record(TopicInput& input, Record&& record, Time now);
  Message message_of(const TopicInput& input, Record&& record) const;
  void deliver(const ItemPtr& item, const Manifest::Subscription* subscription,
               Result<ports::Engine::Inspected> inspected);
  bool reads(const std::string& topic) const;
  StreamPosition& mark_of(const Item& item);
  bool seen_before(const Item& item);
  void drop_repeat(const ItemPtr& item);
  void forward_to_inbox(const ItemPtr& item);
  void refuse(const ItemPtr& item, const char* reason, Error error);
  void take_pending(ports::PendingRow row);
  void take_due_timers();
  void load_timer_page();
  void schedule_timers();
  bool timers_may_come() const;
  void schedule_every();
  void take_every(const Manifest::Every& every, Time due);
  bool has_room(const TopicInput& input) const;
  static bool cancels(const UnitOfWork& unit, const ports::TimerRow& timer);
  ItemPtr new_item(Item::From from, Time now);

  // shard_run.cc
  Mailbox& mailbox(const std::string& name);
  void put(const ItemPtr& item, Mailbox& box);
  void put_apart(const ItemPtr& item);
  void drop_if_idle(Mailbox& box);
  void make_ready(const Item& item);
  void make_ready(Mailbox& box);
  void enqueue(const ItemPtr& item);
  void pump(const Item& item);
  void pump_waiting();
  void drain_ready();
  void look_at(Mailbox& box);
  bool held_back(const Item& item) const;
  void wait(const ItemPtr& item);
  void stop_waiting(Item& item);
  bool bytes_full() const;
  bool prepare(const ItemPtr& item);  // true: payload, dedupe and state are here
  template <class Answer, class Take>
  auto loaded(std::vector<ItemPtr> items, Take take);
  void schedule_loads();
  void flush_loads();
  void check_once(std::vector<ItemPtr> items);
  void reads_fail(const Error& why);
  void run(const ItemPtr& item);
  void start_task(const ItemPtr& item, const ports::StateRow* state);
  void on_step(const ItemPtr& item, ports::Step step);
  void end_task(const ItemPtr& item);
  void begin_effect(const ItemPtr& item, ports::Effect effect);
  void release_queries();
  void wake_at(Time due, std::string box);
  void on_wake();

  // shard_outcome.cc
  void on_outcome(const ItemPtr& item, Outcome outcome);
  void finish(const ItemPtr& item, UnitOfWork unit);
  void cancel_in_mailbox(const ItemPtr& by, const std::string* id_or_name);
  void finish_dead(const ItemPtr& item, const char* reason, Error error);
  void failed(const ItemPtr& item, Outcome outcome);
  void again(const ItemPtr& item, Duration delay);
  void drop_tasks(const ports::Engine* engine, bool alone);
  void refused_by_log(const ports::OutgoingRow& row, const Error& error);
  RetryRule rule_of(const Message& message) const;
  const std::string& revision_of(const Item& item) const;
  ports::DeadLetter dead_letter(const Message& message, const char* reason, Error error) const;

  // shard_commit.cc
  void schedule_commit();
  void commit_at(Time when);
  void acknowledged();
  void acknowledge_later();
  void try_commit();
  Batch collect();
  void collect_dirty(Batch& batch);
  void collect_offsets(Batch& batch);
  bool full(const Batch& batch) const;
  bool collect_finished(Batch& batch, const ItemPtr& item);
  void collect_input(Batch& batch, TopicInput& input, bool& progress);
  bool may_park(const Batch& batch, const Item& item) const;
  void park(Batch& batch, const ItemPtr& item);
  void passed(Batch& batch, const ItemPtr& item);
  void add_source(Batch& batch, const ItemPtr& item);
  void add_emits(Batch& batch, const ItemPtr& item);
  void add_state(Batch& batch, const ItemPtr& item);
  ports::Append record_of(Emit emit, const Item& item, std::int64_t seq) const;
  void add_unit(Batch& batch, const ItemPtr& item);
  void submit();

  // shard_settle.cc
  void settle(ports::CommitResult result);
  void committed();
  void settle_finished(const ItemPtr& item);
  void settle_parked(const ItemPtr& item);
  void apply_timers(const Batch& batch);
  void give_back();
  void give_back_contents(Batch& batch);
  void sql_failed(const ports::CommitResult& result);
  void unroll(const ItemPtr& failed_item);

  const ShardRef ref_;
  const std::string name_;  // of its stream in message ids
  const Environment& env_;
  Executor& lane_;
  PluginCode& code_;
  const int dropper_;
  ShardMeter meter_;
  const Lost lost_;
  std::shared_ptr<int> alive_;  // renewed by reset()

  Status status_ = Status::idle;
  std::string why_;        // it does not go on
  std::string reads_why_;  // what its messages need cannot be read
  std::int64_t epoch_ = 0;
  std::int64_t commit_no_ = 0;
  std::int64_t seq_ = 0;
  int claims_ = 0;
  bool claim_asked_ = false;  // and not answered
  bool halted_ = false;       // only another revision can help

  std::map<std::string, Offset> offsets_;  // as the claim found them
  std::map<std::string, std::unique_ptr<TopicInput>> inputs_;
  std::deque<ItemPtr> waiting_;  // by arrival: heads that may not start yet
  Entities entities_;
  TimerQueue timers_;
  std::map<std::string, Time> every_next_;
  std::set<std::string> every_running_;
  std::map<std::pair<std::string, std::string>, StreamPosition> marks_;  // topic, stream: taken
  std::set<std::string> once_taken_;
  std::int64_t next_arrival_ = 1;
  std::map<std::int64_t, ItemPtr> pending_;  // by row; finished ones until their commit
  std::set<ItemPtr> dirty_;                  // rows to write that no prefix waits for
  std::set<std::string> every_dirty_;        // names whose next due is not in the store yet
  std::vector<ItemPtr> loose_;               // finished, and no prefix waits for them
  std::size_t private_boxes_ = 0;

  std::vector<ItemPtr> loads_payload_, loads_once_, loads_state_;
  bool loads_scheduled_ = false;
  std::size_t loading_ = 0;  // payloads and states that are on their way
  std::set<ItemPtr> running_;
  std::deque<Mailbox*> ready_;  // to look at, each once
  bool draining_ready_ = false;
  bool room_posted_ = false;
  std::size_t finished_count_ = 0;
  std::size_t finished_bytes_ = 0;
  std::int64_t sql_seq_ = 0;
  std::set<std::int64_t> sql_uncommitted_;
  std::vector<std::pair<std::int64_t, UniqueFunction<void()>>> queries_;  // barrier, go on

  Outbox outbox_;
  std::vector<ports::DeadLetter> refused_;  // by the log; ride on the next commit
  std::optional<Batch> batch_;              // in flight
  std::int64_t acked_committed_ = 0;
  std::optional<Time> ack_due_;  // when the watermark is committed without other reason
  bool commit_scheduled_ = false;
  std::set<std::pair<Time, std::string>> wakes_;  // mailboxes to look at; "": timers, every
  std::optional<Time> next_wake_;
  std::optional<Time> commit_at_;
  UniqueFunction<void()> stopped_;
};

}  // namespace host::runtime
