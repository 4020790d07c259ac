#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/ports/chance.h"
#include "host/ports/logger.h"
#include "host/ports/members.h"
#include "host/ports/metrics.h"
#include "host/runtime/shares.h"

namespace host::runtime {

/// Where several processes share a deployment: keeps this one a member of it, looks who lives and
/// who should own what, takes its share and gives what is too much. What should be worked on here
/// is begun, handed over and dropped by its Hands.
///
/// The lease is liveness, the epoch is safety. A shard is claimed only after a take or a look that
/// shows its lease as ours; one that is fenced, or whose commit is not answered, waits for the next
/// look. A lease is released when its shard's claim or commit is answered, what was finished is
/// committed and what was committed is sent. A member that others buried drops everything and joins
/// anew. Only on its executor, which has nothing else to do that takes long.
class Ownership {
 public:
  /// What becomes of a shard, or of a door, on the lanes. Called on the ownership's executor.
  class Hands {
   public:
    virtual ~Hands() = default;
    /// Claim it and work on it; one that was lost anew.
    virtual void start(const ShardRef& shard) = 0;
    /// Let what runs finish, or park it, commit, send, within the time; then say ended().
    virtual void hand_over(const ShardRef& shard, Duration within) = 0;
    /// It is another's: let go of it at once.
    virtual void drop(const ShardRef& shard) = 0;
  };

  struct Settings {
    std::vector<std::string> plugins;
    PartitionNumber partitions = 0;
    std::size_t doors = 0;  // of each plugin
    std::string admin = {};
    Duration beat = std::chrono::seconds(2);
    Duration look = std::chrono::seconds(1);
    Duration again = std::chrono::milliseconds(500);  // after a beat that failed
    Duration hand_over = std::chrono::milliseconds(300);
  };
  /// All of them outlive it.
  struct Parts {
    ports::Members& members;
    Executor& executor;
    Hands& hands;
    ports::Chance& chance;
    ports::Logger& logger;
    ports::Metrics& metrics;
  };

  Ownership(Parts parts, Settings settings);
  ~Ownership();
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  void start();
  /// Hands everything over and leaves, at the latest after `within`; then calls `done`. What could
  /// not be handed over others take as from a dead member. Called twice, the later `done` counts.
  void leave(Duration within, UniqueFunction<void()> done);

  // ---- what the hands say ----
  /// It was fenced, or its store did not answer: it does nothing until start().
  void lost(const ShardRef& shard);
  /// It was handed over, or it was a door that nobody needs here. `clean`: all that was committed
  /// is sent; a door that is not stays a slot that others have to empty.
  void ended(const ShardRef& shard, bool clean);

  const std::string& id() const { return id_; }
  /// Whether a look showed that nothing was left to be taken. Thread-safe.
  bool settled() const { return settled_; }

 private:
  enum class Phase { working, lost, ending, ended, left };

  void join();
  void join_anew(const char* why);
  void beat();
  void beat_after(Duration delay);
  void look();
  void look_after(Duration delay);
  void decide(const ports::MembersView& view);
  void follow(const ports::MembersView& view);
  void follow_ours(const ShardRef& shard);
  void bury(const ports::MembersView& view);
  void share(const ports::MembersView& view);
  void give(const std::string& plugin, std::size_t count);
  void release();
  void end(const ShardRef& shard, Phase& phase);
  void leave_when_empty();
  void left();
  /// A call to members that changes something: none is on its way when we look.
  template <class T>
  ports::Members::Callback<T> asking();
  template <class F>
  auto guarded(F f);

  const Parts parts_;
  const Settings settings_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::shared_ptr<int> life_;  // as a member: renewed when it joins
  std::string id_;
  bool joined_ = false;
  std::atomic<bool> settled_ = false;
  bool leaving_ = false, gone_ = false;
  bool beating_ = false, beat_again_ = false;
  int asking_ = 0;
  bool look_again_ = false;
  bool releasing_ = false;  // what has ended is released in a moment
  Executor::TimerId beat_timer_ = 0, look_timer_ = 0;
  std::map<ShardRef, Phase> held_;
  Deaths deaths_;
  UniqueFunction<void()> left_;
};

}  // namespace host::runtime
