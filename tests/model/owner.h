#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "tests/model/world.h"

namespace host::model {

/// A process that has claimed a shard: the protocol itself. It may be the owner or, without knowing
/// it, a zombie. Every public step does one small thing and says whether there was one to do, so
/// that a history can interleave the steps of all processes at will.
class Owner {
 public:
  Owner(World& world, Random& random, int shard);

  int shard() const { return shard_; }
  bool alive() const { return alive_; }
  /// Nothing to do, in memory and in its part of the world.
  bool quiet() const;

  bool fetch();
  bool start();
  /// `failing`: the chance that the handler raises.
  bool finish(double failing);
  bool park();
  bool fire_timer();
  bool build_commit();
  bool build_commit_apart();  // does something in a mutant only
  /// The database carries out what is in flight.
  bool carry_out();
  bool take_answer();
  bool in_flight() const { return flight_.has_value(); }
  bool publish(double repeat, double gap);
  bool take_acknowledgement();
  void take_revision();
  /// Asks for a dead letter to be redriven; asked twice, it is redriven once.
  void redrive(const Message& letter);
  bool redriving() const { return !redrives_.empty(); }
  /// SIGKILL: its commit in flight is carried out before the next claim, or never.
  void kill(bool carries_out);

 private:
  struct Task {
    enum class State { queued, running, waiting, finished, dropped };
    enum class Source { window, pending, timer, nowhere };

    Message message;
    Source source = Source::window;
    State state = State::queued;
    std::int64_t offset = 0;  // of a window's
    std::int64_t id = 0;      // of a pending row or a timer
    std::uint64_t arrival = 0;
    int attempt = 1;
    bool parked = false;     // runs, and is to be pending in the next commit
    bool durable = false;    // its pending row is committed as it is in memory
    bool unwritten = false;  // its pending row is to be written
    bool dead = false;
    bool included = false;
    model::State state_after;
  };
  struct Flight {
    Commit commit;
    std::vector<Task*> made_durable;
    std::optional<bool> carried_out;
  };
  using Tasks = std::deque<Task*>;

  Task& add(const Message& message, Task::Source source);
  bool passes(const Task& task) const;
  bool behind_pending(const Task& task) const;
  void choose_included();
  void add_result(Commit& commit, Task& task);
  void add_pending(Flight& flight, std::vector<Task*> tasks);
  void pass_prefix(Flight& flight);
  void send(Commit& commit, int topic, int key, int logical);
  MarkPlace mark_place(const Message& message) const;
  Position mark_value(const Message& message) const;
  bool reads(int topic) const;

  World& world_;
  Random& random_;
  const int shard_;
  bool alive_ = true;
  std::int64_t epoch_ = 0;
  std::int64_t commit_no_ = 0;
  std::int64_t seq_ = 0;
  std::int64_t acked_ = 0;
  std::int64_t acked_committed_ = 0;
  std::int64_t last_id_ = 0;  // of pending rows and timers
  std::uint64_t arrivals_ = 0;
  std::array<std::int64_t, kTopics> position_{};
  std::map<MarkPlace, Position> marks_;
  std::deque<Task> tasks_;  // all that ever were: addresses stay
  std::array<Tasks, kTopics> windows_;
  std::array<Tasks, kKeys> keys_;
  std::array<State, kKeys> states_;
  std::vector<Task*> finished_;  // in the order of their ends, not committed yet
  std::vector<TimerRow> timers_;
  std::vector<std::int64_t> late_fired_;  // of a mutant
  std::vector<Message> redrives_;
  std::vector<Message> redriven_;  // since the claim: their commit may still be in flight
  std::optional<Flight> flight_;
  std::optional<Flight> apart_;
  std::deque<Message> outbox_;
  std::deque<Message> sent_;
};

}  // namespace host::model
