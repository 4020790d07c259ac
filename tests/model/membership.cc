#include "tests/model/membership.h"

#include <algorithm>
#include <memory>
#include <set>

#include "tests/model/lease_process.h"

namespace host::model {
namespace {

constexpr int kHistory = 90 * kTicksASecond;
constexpr int kRest = 60 * kTicksASecond;   // to come to rest after the last disturbance
constexpr int kQuiet = 40 * kTicksASecond;  // and then nothing may move
constexpr int kInput = kHistory + kRest + kQuiet / 2;
constexpr int kServedAfterLeave = 1 * kTicksASecond;
constexpr int kServedAfterDeath = 15 * kTicksASecond;
constexpr std::size_t kMostProcesses = 4;

class Memberships {
 public:
  Memberships(std::uint64_t seed, LeaseMutant mutant, LeaseCoverage& coverage)
      : random_(seed), mutant_(mutant), coverage_(coverage) {
    stalls_ = random_.chance(0.4);
    kills_ = random_.chance(0.5);
    stops_ = random_.chance(0.5);
    for (int n = 1 + random_.below(3); n > 0; --n) start();
  }

  LeaseVerdict run() {
    for (int tick = 0; tick < kHistory; ++tick) {
      disturb();
      step();
    }
    db_.stalled_until = 0;
    for (const auto& process : processes_) resume(*process);
    if (some(LeaseProcess::State::running) == nullptr) start();
    for (int tick = 0; tick < kRest; ++tick) step();
    const long turns = db_.turns, fenced = fenced_;
    for (int tick = 0; tick < kQuiet; ++tick) step();
    verdict_.fought = static_cast<int>(fenced_ - fenced);
    verdict_.moved = static_cast<int>(db_.turns - turns);
    for (const auto& process : processes_) count(*process);
    judge();
    return verdict_;
  }

 private:
  void start() {
    processes_.push_back(std::make_unique<LeaseProcess>(db_, random_, mutant_, last_id_));
  }

  LeaseProcess* some(LeaseProcess::State state) {
    std::vector<LeaseProcess*> all;
    for (const auto& process : processes_) {
      if (process->state == state && !process->gone() && !process->leaving()) {
        all.push_back(process.get());
      }
    }
    return all.empty() ? nullptr
                       : all[static_cast<std::size_t>(random_.below(static_cast<int>(all.size())))];
  }

  void resume(LeaseProcess& process) {
    if (process.state == LeaseProcess::State::stopped) {
      process.state = LeaseProcess::State::running;
    }
  }

  void disturb() {
    LeaseProcess* process = some(LeaseProcess::State::running);
    const std::size_t running = static_cast<std::size_t>(
        std::count_if(processes_.begin(), processes_.end(), [](const auto& each) {
          return each->state == LeaseProcess::State::running && !each->leaving();
        }));
    if (running < 2 || (running < kMostProcesses && random_.chance(0.0015))) start();
    if (process == nullptr) return;
    if (kills_ && random_.chance(0.001)) {
      process->state = LeaseProcess::State::dead;
      trouble();
      ++coverage_.kills;
      wait_for_others(*process, kServedAfterDeath, &LeaseVerdict::slow_death);
    } else if (stops_ && random_.chance(0.0015)) {
      process->stop(db_.now + random_.below(25 * kTicksASecond));
      trouble();
      ++coverage_.stops;
    } else if (random_.chance(0.0015)) {
      process->leave();
      ++coverage_.leaves;
      wait_for_others(*process, kServedAfterLeave, &LeaseVerdict::slow_leave);
    } else if (stalls_ && db_.now >= db_.stalled_until && random_.chance(0.001)) {
      db_.stalled_until = db_.now + random_.below(20 * kTicksASecond);
      ++coverage_.stalls;
      waits_.clear();  // nobody is served by a database that stands
    }
  }

  /// From now on commits may be fenced, and what is waited for may take longer.
  void trouble() {
    peace_from_ = db_.now + 40 * kTicksASecond;
    waits_.clear();
  }

  void wait_for_others(const LeaseProcess& from, int within, int LeaseVerdict::*blame) {
    if (db_.now < db_.stalled_until + 15 * kTicksASecond && db_.stalled_until > 0) return;
    if (blame == &LeaseVerdict::slow_leave && db_.now < peace_from_) return;
    // A leaver goes on serving what it has until the others can have it.
    for (int shard = 0; shard < kLeasedShards; ++shard) {
      if (from.serves(shard)) waits_.push_back({shard, db_.now, within, blame});
    }
  }

  bool served(int shard) const {
    return std::any_of(processes_.begin(), processes_.end(),
                       [&](const auto& process) { return process->serves(shard); });
  }

  void step() {
    ++db_.now;
    for (int shard = 0; shard < kLeasedShards; ++shard) {
      if (db_.now < kInput && random_.chance(0.05)) {
        ++db_.records[static_cast<std::size_t>(shard)];
      }
    }
    for (const auto& process : processes_) {
      if (process->state == LeaseProcess::State::stopped && db_.now >= process->stopped_until) {
        resume(*process);
      }
      process->database_step();
      process->step();
    }
    for (Wait& wait : waits_) {
      const bool now = served(wait.shard);
      wait.unserved = now ? 0 : wait.unserved + 1;
      if (wait.unserved > wait.within) {
        ++(verdict_.*wait.blame);
        wait.over = true;
      }
      wait.over = wait.over || db_.now > wait.since + kServedAfterDeath + kTicksASecond;
    }
    std::erase_if(waits_, [](const Wait& wait) { return wait.over; });
    watch_burials();
  }

  void watch_burials() {
    long burials = 0, fenced = 0;
    for (const auto& process : processes_) {
      burials += process->burials;
      fenced += process->fenced;
    }
    if (burials > burials_) {
      if (!kills_ && !stops_) verdict_.living_buried += static_cast<int>(burials - burials_);
      coverage_.burials += burials - burials_;
    }
    if (fenced > fenced_ && !kills_ && !stops_ && !stalls_) {
      verdict_.fenced_in_peace += static_cast<int>(fenced - fenced_);
    }
    coverage_.fenced += fenced - fenced_;
    burials_ = burials;
    fenced_ = fenced;
  }

  void count(const LeaseProcess& process) {
    if (process.state != LeaseProcess::State::running || process.gone()) return;
    int shards = 0;
    for (int shard = 0; shard < kLeasedShards; ++shard) shards += process.serves(shard) ? 1 : 0;
    shares_.push_back(shards);
  }

  void judge() {
    ++coverage_.histories;
    for (int shard = 0; shard < kLeasedShards; ++shard) {
      if (!served(shard)) ++verdict_.unserved;
      const auto index = static_cast<std::size_t>(shard);
      const std::vector<int>& effects = db_.shards[index].effects;
      const std::set<int> once(effects.begin(), effects.end());
      verdict_.lost += db_.records[index] - static_cast<int>(once.size());
      verdict_.doubled += static_cast<int>(effects.size() - once.size());
      if (!std::is_sorted(effects.begin(), effects.end())) ++verdict_.doubled;
    }
    const auto [least, most] = std::minmax_element(shares_.begin(), shares_.end());
    if (*most - *least > 1) verdict_.unbalanced = *most - *least;
  }

  struct Wait {
    int shard = 0, since = 0, within = 0;
    int LeaseVerdict::*blame;
    int unserved = 0;
    bool over = false;
  };

  Random random_;
  const LeaseMutant mutant_;
  LeaseCoverage& coverage_;
  LeaseDatabase db_;
  int last_id_ = 0;
  bool stalls_ = false, kills_ = false, stops_ = false;
  std::vector<std::unique_ptr<LeaseProcess>> processes_;
  std::vector<Wait> waits_;
  std::vector<int> shares_;
  int peace_from_ = 0;
  long burials_ = 0, fenced_ = 0;
  LeaseVerdict verdict_;
};

}  // namespace

bool LeaseVerdict::good() const { return to_string().empty(); }

std::string LeaseVerdict::to_string() const {
  std::string out;
  const auto say = [&out](int n, const char* what) {
    if (n > 0) out += std::to_string(n) + " " + what + ", ";
  };
  say(lost, "lost");
  say(doubled, "doubled");
  say(living_buried, "living buried");
  say(fenced_in_peace, "fenced in peace");
  say(slow_leave, "late after a leave");
  say(slow_death, "late after a death");
  say(unserved, "unserved");
  say(unbalanced, "unbalanced");
  say(fought, "fenced at rest");
  say(moved, "moved at rest");
  return out;
}

LeaseVerdict run_membership(std::uint64_t seed, LeaseMutant mutant, LeaseCoverage* coverage) {
  LeaseCoverage ignored;
  return Memberships(seed, mutant, coverage != nullptr ? *coverage : ignored).run();
}

}  // namespace host::model
