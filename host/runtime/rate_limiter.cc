#include "host/runtime/rate_limiter.h"

#include <algorithm>
#include <cstring>

#include "host/base/siphash.h"

namespace host::runtime {
namespace {

std::array<std::uint64_t, 2> random_key(ports::Chance& chance) {
  std::array<std::uint64_t, 2> key{};
  const std::string bytes = chance.bytes(sizeof key);
  std::memcpy(key.data(), bytes.data(), std::min(bytes.size(), sizeof key));
  return key;
}

Duration rounded_up(std::chrono::nanoseconds time) { return std::chrono::ceil<Duration>(time); }

}  // namespace

RateLimiter::RateLimiter(ports::Chance& chance)
    : key_(random_key(chance)), places_(std::make_unique<Place[]>(kBuckets / kWays)) {}

/// The bucket of this key, or one that is given to it: full, or else the fullest.
RateLimiter::Bucket& RateLimiter::bucket_of(Place& place, std::uint64_t hash, std::int64_t now) {
  Bucket* fullest = &place[0];
  for (Bucket& bucket : place) {
    if (bucket.hash == hash) return bucket;
    if (bucket.full_at < fullest->full_at) fullest = &bucket;
  }
  *fullest = {.hash = hash, .full_at = now};
  return *fullest;
}

RateLimiter::Verdict RateLimiter::take(const Manifest::Limit& limit, std::string_view key,
                                       Time now) {
  const std::uint64_t hash = siphash(key_, key);
  const std::size_t index = hash % (kBuckets / kWays);
  const Nanos today = now.time_since_epoch();
  const Nanos interval = limit.interval(), span = limit.span();

  const std::lock_guard lock(locks_[index % kLocks]);
  Bucket& bucket = bucket_of(places_[index], hash, today.count());
  // More than a whole bucket can be missing only when the clock went back, or the limit changed.
  const Nanos missing = std::clamp(Nanos(bucket.full_at) - today, Nanos::zero(), span);
  Verdict verdict;
  verdict.allowed = missing + interval <= span;
  const Nanos left_missing = verdict.allowed ? missing + interval : missing;
  bucket.full_at = (today + left_missing).count();
  verdict.remaining = (span - left_missing) / interval;
  verdict.full_after = rounded_up(left_missing);
  if (!verdict.allowed) verdict.retry_after = rounded_up(missing + interval - span);
  return verdict;
}

}  // namespace host::runtime
