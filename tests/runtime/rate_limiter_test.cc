#include "host/runtime/rate_limiter.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/seeded_chance.h"

namespace host::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Manifest::Limit limit(std::int64_t rate, Duration per, std::int64_t burst) {
  Manifest::Limit out;
  out.rate = rate;
  out.per = per;
  out.burst = burst;
  return out;
}

struct World {
  int allowed(const Manifest::Limit& rule, const std::string& key, int times) {
    int count = 0;
    for (int i = 0; i < times; ++i) count += limiter.take(rule, key, now).allowed ? 1 : 0;
    return count;
  }

  fakes::SeededChance chance;
  RateLimiter limiter{chance};
  Time now = from_micros(1'800'000'000'000'000);
};

}  // namespace

TEST_CASE("a full bucket lets its burst through, and then its rate", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(10, seconds(1), 20);
  CHECK(w.allowed(rule, "a", 30) == 20);
  w.now += milliseconds(99);
  CHECK(w.allowed(rule, "a", 5) == 0);
  w.now += milliseconds(1);
  CHECK(w.allowed(rule, "a", 5) == 1);
  w.now += milliseconds(500);
  CHECK(w.allowed(rule, "a", 10) == 5);
  w.now += seconds(100);
  CHECK(w.allowed(rule, "a", 30) == 20);
}

TEST_CASE("what is left and when more comes is told", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(2, seconds(1), 3);
  auto verdict = w.limiter.take(rule, "a", w.now);
  CHECK(verdict.remaining == 2);
  CHECK(verdict.full_after == milliseconds(500));
  w.limiter.take(rule, "a", w.now);
  verdict = w.limiter.take(rule, "a", w.now);
  CHECK(verdict.remaining == 0);
  CHECK(verdict.full_after == milliseconds(1500));
  w.now += milliseconds(200);
  verdict = w.limiter.take(rule, "a", w.now);
  CHECK_FALSE(verdict.allowed);
  CHECK(verdict.remaining == 0);
  CHECK(verdict.retry_after == milliseconds(300));
  w.now += verdict.retry_after;
  CHECK(w.limiter.take(rule, "a", w.now).allowed);
}

TEST_CASE("a rate that divides into no whole microseconds is kept over time", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(3, seconds(1), 1);
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) {
    allowed += w.limiter.take(rule, "a", w.now).allowed ? 1 : 0;
    w.now += milliseconds(100);
  }
  CHECK(allowed == 250);  // asked every 100 ms, so every fourth time
}

TEST_CASE("one key's requests cost no other key's", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(1, seconds(1), 1);
  for (int i = 0; i < 1000; ++i) CHECK(w.allowed(rule, "key " + std::to_string(i), 2) == 1);
}

TEST_CASE("a clock that goes back locks nobody out for longer than an empty bucket", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(1, seconds(1), 5);
  CHECK(w.allowed(rule, "a", 5) == 5);
  w.now -= std::chrono::hours(1);
  const auto verdict = w.limiter.take(rule, "a", w.now);
  CHECK_FALSE(verdict.allowed);
  CHECK(verdict.retry_after == seconds(1));
  w.now += seconds(1);
  CHECK(w.limiter.take(rule, "a", w.now).allowed);
}

TEST_CASE("more clients than there are buckets are let in, never locked out", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(1, std::chrono::hours(1), 2);
  const std::size_t many = 2 * RateLimiter::kBuckets;
  std::size_t first = 0, later = 0;
  for (std::size_t i = 0; i < many; ++i) {
    first += w.limiter.take(rule, std::to_string(i), w.now).allowed ? 1 : 0;
  }
  CHECK(first == many);
  for (std::size_t i = 0; i < many; ++i) {
    later += w.limiter.take(rule, std::to_string(i), w.now).allowed ? 1 : 0;
  }
  CHECK(later == many);
}

TEST_CASE("who has spent the most is remembered the longest", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(1, std::chrono::hours(1), 10);
  CHECK(w.allowed(rule, "greedy", 11) == 10);
  for (std::size_t i = 0; i < 4 * RateLimiter::kBuckets; ++i) {
    w.limiter.take(rule, std::to_string(i), w.now);
  }
  CHECK(w.allowed(rule, "greedy", 1) == 0);
}

TEST_CASE("lanes that ask at once share one bucket", "[limiter]") {
  World w;
  const Manifest::Limit rule = limit(1, std::chrono::hours(1), 1000);
  std::vector<int> counts(4);
  std::vector<std::thread> lanes;
  for (int& count : counts) {
    lanes.emplace_back([&w, &rule, &count] { count = w.allowed(rule, "a", 1000); });
  }
  for (std::thread& lane : lanes) lane.join();
  CHECK(counts[0] + counts[1] + counts[2] + counts[3] == 1000);
}

}  // namespace host::runtime
