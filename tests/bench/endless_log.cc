#include "tests/bench/endless_log.h"

#include "host/core/partition.h"
#include "tests/bench/support.h"

namespace host::bench {
namespace {

constexpr std::size_t kKept = 16;  // records of a partition

/// Gives up on an answer that is on its way.
class Answer : public ports::Log::Fetch {
 public:
  ~Answer() override { *cancelled = true; }
  std::shared_ptr<bool> cancelled = std::make_shared<bool>(false);
};

/// Spreads neighbouring numbers evenly (the finalizer of splitmix64).
std::uint64_t spread(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

EndlessLog::EndlessLog(const fakes::ManualClock& clock, std::size_t keys)
    : FakeLog(clock, {.shares_store = true, .keep = kKept}), keys_(kPartitions) {
  for (std::size_t i = 0; i < kDistinct; ++i) payloads_.push_back(payload_of(i));
  for (std::size_t i = 0; i < keys; ++i) {
    std::string key = key_of(i);
    keys_[static_cast<std::size_t>(partition_of(key, kPartitions))].push_back(std::move(key));
  }
  for (const auto& keys_here : keys_) {
    if (keys_here.empty()) give_up("--keys is too small: a partition has none");
  }
}

Record EndlessLog::record(PartitionNumber partition, Offset offset) const {
  const auto& keys = keys_[static_cast<std::size_t>(partition)];
  const auto number = static_cast<std::uint64_t>(offset);
  return {.topic = kInput,
          .partition = partition,
          .offset = offset,
          .time = {},
          .key = keys[spread(number) % keys.size()],
          .payload = payloads_[number % kDistinct],
          .headers = {}};
}

std::unique_ptr<ports::Log::Fetch> EndlessLog::fetch(const std::string& topic,
                                                     PartitionNumber partition, Offset from,
                                                     std::size_t max_bytes, Executor& executor,
                                                     FetchCallback callback) {
  if (topic != kInput) {
    return FakeLog::fetch(topic, partition, from, max_bytes, executor, std::move(callback));
  }
  ports::Fetched fetched;
  const std::size_t count = max_bytes / kPayloadBytes + 1;
  fetched.records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    fetched.records.push_back(record(partition, from + static_cast<Offset>(i)));
  }
  fetched.next = from + static_cast<Offset>(count);
  auto answer = std::make_unique<Answer>();
  // Asked for and answered on the lane of the shard: nobody else looks at `cancelled`.
  executor.post([cancelled = answer->cancelled, callback = std::move(callback),
                 fetched = std::move(fetched)]() mutable {
    if (!*cancelled) callback(std::move(fetched));
  });
  return answer;
}

}  // namespace host::bench
