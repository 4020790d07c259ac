#include "host/adapters/postgres/commit_queue.h"

#include <set>
#include <utility>

namespace host::postgres {
namespace {

// So much that its transaction's own costs are small beside it: who waits meanwhile waits for all.
constexpr std::size_t kMostStates = 1000;
constexpr std::size_t kMostBytes = std::size_t{2} << 20;

bool goes_alone(const ports::ShardCommit& commit) {
  return !commit.units.empty() || !commit.answers.empty();
}

}  // namespace

void WaitingCommit::answer(ports::CommitResult result) {
  commit.reset();
  executor.post([callback = std::move(callback), result = std::move(result)]() mutable {
    callback(std::move(result));
  });
}

void CommitQueue::add(WaitingCommit waiting) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(waiting));
}

std::vector<WaitingCommit> CommitQueue::take() {
  std::vector<WaitingCommit> taken;
  std::set<PartitionNumber> shards;
  std::size_t states = 0, bytes = 0;
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty()) {
    const ports::ShardCommit& next = *waiting_.front().commit;
    states += next.states.size();
    bytes += next.bytes();
    const bool fits = !goes_alone(next) && states <= kMostStates && bytes <= kMostBytes;
    if (!taken.empty() && (!fits || shards.contains(next.shard.number))) break;
    shards.insert(next.shard.number);
    const bool alone = goes_alone(next);
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (alone) break;
  }
  return taken;
}

}  // namespace host::postgres
