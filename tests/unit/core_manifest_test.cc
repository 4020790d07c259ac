#include <catch2/catch.hpp>

#include "host/core/manifest.h"

namespace host {
namespace {

TEST_CASE("the backoff doubles up to its bound, with full jitter") {
  const RetryRule rule;  // 1s..30s
  const Duration almost_all[] = {std::chrono::seconds(1),  std::chrono::seconds(2),
                                 std::chrono::seconds(4),  std::chrono::seconds(8),
                                 std::chrono::seconds(16), std::chrono::seconds(30),
                                 std::chrono::seconds(30)};
  for (int next = 2; next < 9; ++next) {
    const Duration bound = almost_all[next - 2];
    CHECK(rule.delay(next, 0.0) == Duration{0});
    CHECK(rule.delay(next, 0.5) == bound / 2);
    CHECK(rule.delay(next, 0.999'999) < bound);
    CHECK(rule.delay(next, 0.999'999) > bound * 99 / 100);
  }
}

TEST_CASE("the backoff of very many attempts stays within its bound") {
  RetryRule rule;
  for (const int next : {50, 62, 63, 64, 1000, 2'000'000'000}) {
    CHECK(rule.delay(next, 0.99) <= rule.backoff_max);
    CHECK(rule.delay(next, 0.99) > rule.backoff_max / 2);
  }
  rule.backoff_min = rule.backoff_max = std::chrono::hours(24 * 365);
  CHECK(rule.delay(100, 0.99) <= rule.backoff_max);
}

TEST_CASE("a problem prints its place, and only what it has") {
  CHECK(Problem{"a.lua", 3, 1, "bad", "mend"}.to_string() == "a.lua:3: bad (mend)");
  CHECK(Problem{"a.lua", 0, 0, "bad", ""}.to_string() == "a.lua: bad");
  CHECK(Problem{"", 0, 0, "bad", ""}.to_string() == "bad");
}

TEST_CASE("a manifest knows its inbox, its routes' names and its subscriptions") {
  Manifest manifest;
  manifest.name = "owls";
  manifest.on = {{.topic = "letters", .key_field = {}, .once = {}, .retry = {}},
                 {.topic = "bets", .key_field = "id", .once = {}, .retry = {}}};
  CHECK(manifest.inbox() == "owls.inbox");
  REQUIRE(manifest.find_subscription("bets") != nullptr);
  CHECK(manifest.find_subscription("bets")->key_field == "id");
  CHECK(manifest.find_subscription("nothing") == nullptr);
  Manifest::Route route;
  route.method = "GET";
  route.pattern = "/walls/:id";
  CHECK(route.name() == "GET /walls/:id");
}

}  // namespace
}  // namespace host
