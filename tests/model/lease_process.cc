#include "tests/model/lease_process.h"

#include <algorithm>
#include <utility>

namespace host::model {
namespace {

constexpr int kBeat = 2 * kTicksASecond;
constexpr int kDead = 8 * kTicksASecond;
constexpr int kBeatAgain = kTicksASecond / 2;
constexpr int kTimeout = 3 * kTicksASecond / 2;  // of a statement
constexpr int kSeenAgain = 2 * kTicksASecond;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

LeaseProcess::LeaseProcess(LeaseDatabase& database, Random& random, LeaseMutant mutant,
                           int& last_id)
    : db_(database), random_(random), mutant_(mutant), last_id_(last_id) {
  join();
}

bool LeaseProcess::serves(int shard) const {
  const auto found = held_.find(shard);
  return state == State::running && !gone_ && found != held_.end() &&
         (found->second.phase == Held::Phase::running ||
          found->second.phase == Held::Phase::ending);
}

void LeaseProcess::send(bool control, std::function<void()> carry_out,
                        std::function<void()> failed) {
  if (control) ++asking_;
  sent_.push_back(
      {db_.now + random_.below(2), db_.now, control, std::move(carry_out), std::move(failed)});
}

void LeaseProcess::stop(int until) {
  state = State::stopped;
  stopped_until = until;
  for (Statement& statement : sent_) {
    if (random_.chance(0.5)) statement.at = until + random_.below(10 * kTicksASecond);
  }
}

void LeaseProcess::database_step() {
  const bool stalled = db_.now < db_.stalled_until;
  for (std::size_t i = 0; i < sent_.size();) {
    const bool failed = stalled && db_.now >= sent_[i].sent + kTimeout;
    if (!failed && (stalled || sent_[i].at > db_.now)) {
      ++i;
      continue;
    }
    const Statement statement = std::move(sent_[i]);
    sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(i));
    failed ? answers_.push_back(statement.failed) : statement.carry_out();
    if (statement.control) answers_.push_back([this] { --asking_; });
  }
}

/// What came of its claim or commit is unknown, or it has another owner.
void LeaseProcess::lose(int shard, int life) {
  const auto found = held_.find(shard);
  if (life != life_ || found == held_.end()) return;
  Held& held = found->second;
  held.in_flight = false;
  held.phase = held.phase >= Held::Phase::ending ? Held::Phase::ended : Held::Phase::lost;
  next_look_ = std::min(next_look_, db_.now + kTicksASecond / 10);
}

void LeaseProcess::join() {
  if (mutant_ != LeaseMutant::lease_as_fence || id_ < 0) id_ = ++last_id_;
  if (mutant_ != LeaseMutant::fights) {
    held_.clear();
    ++life_;
  }
  joined_ = false;
  suspects_.clear();
  send(
      true,
      [this, id = id_] {
        db_.members[id] = {db_.now, false};
        ++db_.changes;
        answers_.push_back([this] { joined_ = true; });
      },
      [this] { buried_ = true; });
  next_beat_ = db_.now + kBeat;
  next_look_ = db_.now;
}

void LeaseProcess::beat() {
  next_beat_ = db_.now + kBeat;
  send(
      false,
      [this, id = id_, leaving = leaving_] {
        const auto row = db_.members.find(id);
        if (row != db_.members.end()) {
          if (leaving && !row->second.leaving) ++db_.changes;
          row->second = {db_.now, leaving};
          answers_.push_back([this] { next_look_ = db_.now; });
        } else {
          answers_.push_back([this, id] { buried_ = buried_ || id == id_; });
        }
      },
      [this] { next_beat_ = db_.now + kBeatAgain; });
}

void LeaseProcess::look() {
  next_look_ = db_.now + kTicksASecond;
  seen_changes_ = db_.changes;
  send(true, [this, life = life_] {
    answers_.push_back([this, life, view = View{db_.members, db_.leases}] {
      if (life == life_) decide(view);
    });
  });
}

void LeaseProcess::step() {
  if (state != State::running || gone_) return;
  for (auto& answer : std::exchange(answers_, {})) answer();
  if (std::exchange(buried_, false)) join();
  if (!joined_) return;
  if (leaving_ && !std::exchange(told_, true)) {
    beat();
    if (mutant_ == LeaseMutant::leaves_without_word) {
      gone_ = true;
      return;
    }
  }
  if (db_.now >= next_beat_) beat();
  const bool hint = db_.changes != seen_changes_;
  if (asking_ == 0 && (hint || db_.now >= next_look_)) look();
  for (auto& [shard, held] : held_) work(shard, held);
}

void LeaseProcess::decide(const View& view) {
  if (!view.members.contains(id_)) {
    buried_ = true;
    return;
  }
  hold_what_is_ours(view);
  bury(view);
  if (!leaving_) share(view);
  std::vector<int> ended;
  for (const auto& [shard, held] : held_) {
    if (held.phase == Held::Phase::ended) ended.push_back(shard);
  }
  if (!ended.empty()) {
    release(ended);
  } else if (leaving_ && held_.empty()) {
    gone_ = true;
    send(true, [this, id = id_] {
      db_.members.erase(id);
      ++db_.changes;
    });
  }
}

void LeaseProcess::release(std::vector<int> shards) {
  send(true, [this, id = id_, shards] {
    for (const int shard : shards) {
      if (db_.leases[at(shard)].owner == id) db_.leases[at(shard)].owner = -1;
    }
    ++db_.changes;
    answers_.push_back([this, shards] {
      for (const int shard : shards) {
        const auto found = held_.find(shard);
        if (found != held_.end() && found->second.phase == Held::Phase::ended) held_.erase(found);
      }
      next_look_ = db_.now;
    });
  });
}

/// Takes nothing new; what runs takes its time, now and then a long one.
void LeaseProcess::end(int shard, Held& held) {
  if (held.phase >= Held::Phase::ending) return;
  held.phase = held.phase == Held::Phase::lost ? Held::Phase::ended : Held::Phase::ending;
  held.ends = db_.now + (random_.chance(0.2) ? random_.below(3 * kTicksASecond) : 0);
  if (mutant_ == LeaseMutant::released_at_once) release({shard});
}

void LeaseProcess::hold_what_is_ours(const View& view) {
  for (int shard = 0; shard < kLeasedShards; ++shard) {
    const bool ours = view.leases[at(shard)].owner == id_;
    const auto found = held_.find(shard);
    if (found != held_.end() && !ours) {
      const bool goes_on =
          mutant_ == LeaseMutant::fights ||
          (mutant_ == LeaseMutant::released_at_once && found->second.phase == Held::Phase::ending);
      if (!goes_on) held_.erase(found);
    } else if (found == held_.end() && ours) {
      held_[shard] = {};
      claim(shard);
    } else if (found != held_.end() && found->second.phase == Held::Phase::lost) {
      found->second = {};
      claim(shard);
    }
    if (leaving_ && held_.contains(shard)) {
      end(shard, held_[shard]);
    }
  }
}

void LeaseProcess::bury(const View& view) {
  int newest = 0;
  for (const auto& [id, row] : view.members) newest = std::max(newest, row.heartbeat);
  const int own = view.members.at(id_).heartbeat;
  std::map<int, Suspect> suspects;
  for (const auto& [id, row] : view.members) {
    if (id == id_ || newest - row.heartbeat <= kDead) continue;
    const auto known = suspects_.find(id);
    const bool again = known != suspects_.end() && known->second.heartbeat == row.heartbeat;
    suspects[id] = again ? known->second : Suspect{row.heartbeat, db_.now, own};
    const Suspect& suspect = suspects[id];
    const bool seen_twice = again && db_.now - suspect.since >= kSeenAgain && own > suspect.own;
    if (!seen_twice && mutant_ != LeaseMutant::dead_at_first_sight) continue;
    if (mutant_ == LeaseMutant::never_buried) continue;
    send(true, [this, dead = id, heartbeat = row.heartbeat, leaving = row.leaving] {
      const auto found = db_.members.find(dead);
      if (found == db_.members.end() || found->second.heartbeat != heartbeat) return;
      db_.members.erase(found);
      ++db_.changes;
      // One that left without an answer to its last statement may be.
      if (!leaving) ++burials;
    });
  }
  suspects_ = std::move(suspects);
}

void LeaseProcess::share(const View& view) {
  std::map<int, int> owned;
  for (const auto& [id, row] : view.members) {
    if (!row.leaving || mutant_ == LeaseMutant::leaver_counts) owned[id] = 0;
  }
  std::vector<int> free;
  for (int shard = 0; shard < kLeasedShards; ++shard) {
    const int owner = view.leases[at(shard)].owner;
    if (owned.contains(owner)) {
      ++owned[owner];
    } else if (!view.members.contains(owner)) {
      free.push_back(shard);
    }
  }
  const int living = static_cast<int>(owned.size());
  const int floor = kLeasedShards / living, ceil = (kLeasedShards + living - 1) / living;
  int lacking = 0;
  for (const auto& [id, count] : owned) lacking += std::max(0, floor - count);
  const int spare = static_cast<int>(free.size()) - lacking;
  const int mine = owned[id_];
  int take = std::max(0, floor - mine);
  if (take == 0 && mine < ceil && spare > 0) take = 1;
  if (mutant_ == LeaseMutant::greedy) take = static_cast<int>(free.size());
  std::vector<std::pair<int, int>> wanted;  // shard, turn
  for (std::size_t i = 0; i < free.size() && static_cast<int>(wanted.size()) < take; ++i) {
    const int shard = free[(i + at(id_)) % free.size()];
    wanted.emplace_back(shard, view.leases[at(shard)].turn);
  }
  if (!wanted.empty()) {
    send(true, [this, id = id_, wanted] {
      if (!db_.members.contains(id)) return;
      for (const auto& [shard, turn] : wanted) {
        LeaseRow& row = db_.leases[at(shard)];
        if (row.turn != turn) continue;
        if (row.owner != id) ++db_.turns;
        row = {id, turn + 1};
      }
      answers_.push_back([this] { next_look_ = db_.now; });
    });
  }
  int give = 0;
  std::map<int, int> left = owned;
  for (int n = -spare; n > 0; --n) {
    const auto most = std::max_element(
        left.begin(), left.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    --most->second;
    if (most->first == id_) ++give;
  }
  give = std::max(give, mine - ceil);
  if (mutant_ == LeaseMutant::gives_down_to_floor) give = mine - floor;
  if (mutant_ == LeaseMutant::gives_nothing || mutant_ == LeaseMutant::greedy) give = 0;
  for (const auto& [shard, held] : held_) {
    if (held.phase >= Held::Phase::ending) --give;
  }
  for (auto held = held_.rbegin(); held != held_.rend() && give > 0; ++held) {
    if (held->second.phase >= Held::Phase::ending) continue;
    end(held->first, held->second);
    --give;
  }
}

void LeaseProcess::claim(int shard) {
  held_.at(shard).in_flight = true;
  send(
      false,
      [this, shard, life = life_] {
        LeaseDatabase::Shard& row = db_.shards[at(shard)];
        ++row.epoch;
        answers_.push_back([this, shard, life, row] {
          const auto found = held_.find(shard);
          if (life != life_ || found == held_.end()) return;
          Held& held = found->second;
          held.epoch = row.epoch;
          held.commit_no = row.commit_no;
          held.next = row.next;
          held.in_flight = false;
          if (held.phase == Held::Phase::claiming) held.phase = Held::Phase::running;
        });
      },
      [this, shard, life = life_] { lose(shard, life); });
}

/// One record a commit; what was built before a stop is sent after it.
void LeaseProcess::work(int shard, Held& held) {
  const bool more = held.next < db_.records[at(shard)];
  const bool ending = held.phase == Held::Phase::ending;
  if (ending && db_.now >= held.ends && !held.in_flight) {
    held.phase = Held::Phase::ended;
    next_look_ = db_.now;
    return;
  }
  const bool on = held.phase == Held::Phase::running || (ending && db_.now < held.ends);
  if (!on || held.in_flight || !more || random_.chance(0.3)) return;
  held.in_flight = true;
  commit(shard, held);
}

void LeaseProcess::commit(int shard, const Held& with) {
  send(
      false,
      [this, shard, with, id = id_, life = life_] {
        LeaseDatabase::Shard& row = db_.shards[at(shard)];
        bool owner = row.epoch == with.epoch && row.commit_no == with.commit_no;
        if (mutant_ == LeaseMutant::no_fence) owner = true;
        if (mutant_ == LeaseMutant::lease_as_fence) owner = db_.leases[at(shard)].owner == id;
        if (owner) {
          row.effects.push_back(with.next);
          row.next = with.next + 1;
          ++row.commit_no;
        } else {
          ++fenced;
        }
        answers_.push_back([this, shard, owner, with, life] {
          const auto found = held_.find(shard);
          if (life != life_ || found == held_.end() || found->second.epoch != with.epoch) return;
          Held& held = found->second;
          held.in_flight = false;
          if (owner) {
            ++held.commit_no;
            ++held.next;
          } else if (mutant_ == LeaseMutant::fights) {
            held.phase = Held::Phase::claiming;
            claim(shard);
          } else {
            lose(shard, life);
          }
        });
      },
      [this, shard, life = life_] { lose(shard, life); });
}

}  // namespace host::model
