#include "host/ports/store.h"

namespace host::ports {

bool ShardCommit::empty() const {
  return next_offsets.empty() && states.empty() && pending_put.empty() && pending_remove.empty() &&
         timers.empty() && timers_fired.empty() && forget_timers.empty() && every_next.empty() &&
         once_seen.empty() && marks.empty() && outgoing.empty() && dead.empty() &&
         dead_remove.empty() && replies.empty() && answers.empty() && units.empty();
}

std::size_t ShardCommit::bytes() const {
  std::size_t total = 0;
  for (const auto& [key, row] : states) total += key.size() + (row.bytes ? row.bytes->size() : 0);
  for (const auto& row : pending_put) total += row.message.payload.size() + 200;
  for (const auto& row : outgoing) total += row.record.payload.size() + 200;
  for (const auto& letter : dead) total += letter.message.payload.size() + 400;
  for (const auto& reply : replies) total += reply.payload.size();
  for (const auto& answer : answers) total += answer.response.body.size() + 400;
  return total + 64 * timers.size();
}

}  // namespace host::ports
