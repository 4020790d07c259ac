#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "tests/model/membership.h"
#include "tests/model/world.h"

namespace host::model {

inline constexpr int kLeasedShards = 7;
inline constexpr int kTicksASecond = 20;

struct LeaseRow {
  int owner = -1;  // a life's id
  int turn = 0;
};
struct MemberRow {
  int heartbeat = 0;
  bool leaving = false;
};

/// What outlives processes. Its statements run one after the other; while it stalls, none does.
struct LeaseDatabase {
  struct Shard {
    int epoch = 0;
    int commit_no = 0;
    int next = 0;
    std::vector<int> effects;  // records, in the order of their commits
    int served = 0;            // tick of the last claim or commit
  };
  int now = 0;
  int stalled_until = 0;
  std::map<int, MemberRow> members;
  std::array<LeaseRow, kLeasedShards> leases;
  std::array<Shard, kLeasedShards> shards;
  std::array<int, kLeasedShards> records{};  // of each shard's input
  int changes = 0;                           // hints: others look when it ascends
  long turns = 0;                            // leases that were taken
};

/// One process through its lives as members.
class LeaseProcess {
 public:
  enum class State { running, stopped, dead };

  LeaseProcess(LeaseDatabase& database, Random& random, LeaseMutant mutant, int& last_id);

  State state = State::running;
  int stopped_until = 0;
  long burials = 0, fenced = 0;

  int id() const { return id_; }
  bool gone() const { return gone_; }
  bool leaving() const { return leaving_; }
  bool serves(int shard) const;
  void leave() { leaving_ = true; }
  /// SIGSTOP; what it has sent may come late.
  void stop(int until);
  /// A tick: statements that were sent are carried out, also those of a stopped one.
  void database_step();
  void step();

 private:
  struct Held {
    enum class Phase { claiming, running, lost, ending, ended } phase = Phase::claiming;
    int epoch = 0, commit_no = 0, next = 0;
    bool in_flight = false;  // a claim or a commit
    int ends = 0;            // when what runs is done
  };
  struct Statement {
    int at = 0;
    int sent = 0;
    bool control = false;  // about members or leases
    std::function<void()> carry_out;
    std::function<void()> failed;
  };
  struct View {
    std::map<int, MemberRow> members;
    std::array<LeaseRow, kLeasedShards> leases;
  };
  struct Suspect {
    int heartbeat = 0, since = 0, own = 0;
  };

  void send(
      bool control, std::function<void()> carry_out, std::function<void()> failed = [] {});
  void lose(int shard, int life);
  void join();
  void beat();
  void look();
  void decide(const View& view);
  void hold_what_is_ours(const View& view);
  void bury(const View& view);
  void share(const View& view);
  void work(int shard, Held& held);
  void end(int shard, Held& held);
  void release(std::vector<int> shards);
  void claim(int shard);
  void commit(int shard, const Held& held);

  LeaseDatabase& db_;
  Random& random_;
  const LeaseMutant mutant_;
  int& last_id_;
  int id_ = -1;
  int life_ = 0;  // answers of an earlier one are not heard
  bool joined_ = false, leaving_ = false, told_ = false, gone_ = false, buried_ = false;
  int next_beat_ = 0, next_look_ = 0, seen_changes_ = 0;
  int asking_ = 0;  // no look while a statement about members or leases is on its way
  std::deque<Statement> sent_;
  std::deque<std::function<void()>> answers_;
  std::map<int, Held> held_;
  std::map<int, Suspect> suspects_;
};

}  // namespace host::model
