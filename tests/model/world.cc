#include "tests/model/world.h"

#include <algorithm>

namespace host::model {

bool ShardRow::apply(const Commit& commit, Mutant mutant) {
  const bool owner = epoch == commit.epoch && (commit.apart || commit_no == commit.commit_no);
  if (!owner && mutant != Mutant::no_fence) return false;
  if (!commit.apart) {
    ++commit_no;
    next = commit.next;
    acked = commit.acked;
  }
  seq = std::max(seq, commit.seq);
  for (const auto& [key, state] : commit.states) states[static_cast<std::size_t>(key)] = state;
  for (const PendingRow& row : commit.pending_put) pending[row.id] = row;
  if (mutant != Mutant::lost_tombstone) {
    for (const std::int64_t id : commit.pending_remove) pending.erase(id);
  }
  for (const TimerRow& row : commit.timers) timers[row.id] = row;
  for (const std::int64_t id : commit.timers_fired) timers.erase(id);
  for (const auto& [place, position] : commit.marks) marks[place] = position;
  outgoing.insert(outgoing.end(), commit.outgoing.begin(), commit.outgoing.end());
  std::erase_if(outgoing, [&](const Message& row) { return row.position.seq <= acked; });
  dead.insert(dead.end(), commit.dead.begin(), commit.dead.end());
  for (const Message& gone : commit.dead_remove) {
    std::erase_if(dead, [&](const Message& letter) { return letter.same_id(gone); });
  }
  return true;
}

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace host::model
