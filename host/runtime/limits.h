#pragma once

#include <cstddef>

#include "host/base/time.h"

namespace host::runtime {

/// Bounds of a shard. Each has a metric or a line in /admin/shards when it holds something back.
struct Limits {
  std::size_t batch_messages = 500;
  std::size_t batch_bytes = 8u << 20;
  std::size_t input_messages = 1'000;    // taken and not committed, a topic
  std::size_t input_bytes = 16u << 20;   // the same, in payload bytes
  std::size_t fetch_bytes = 128u << 10;  // one read of the log
  std::size_t pending_a_key = 10'000;    // then the shard's input waits
  std::size_t pending_a_shard = 100'000;
  std::size_t outbox_rows = 50'000;  // unacknowledged: then nothing is handled
  std::size_t outbox_bytes = 64u << 20;
  std::size_t timers_in_memory = 10'000;     // heads; the rest stays in the store
  std::size_t states_in_memory = 32u << 20;  // bytes of clean state kept, a shard
  Duration park_after = std::chrono::milliseconds(20);
  Duration acknowledge_within = std::chrono::milliseconds(100);
  Duration retry_commit = std::chrono::milliseconds(200);  // the store said "not now"
  Duration keep_replies = std::chrono::hours(1);           // of asks
  Duration keep_answers = std::chrono::hours(24);          // to an Idempotency-Key, and its asks
  Duration drain = std::chrono::seconds(60);               // of coroutines on a replaced revision
};

}  // namespace host::runtime
