#include <catch2/catch.hpp>

#include "tests/model/history.h"

namespace host::model {
namespace {

constexpr std::uint64_t kHistories = 5'000;

TEST_CASE("the protocol loses nothing, doubles nothing and keeps order in random histories") {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    const Verdict verdict = run_history(seed, Mutant::none, &coverage);
    INFO("seed " << seed << ": " << verdict.to_string());
    REQUIRE(verdict.good());
  }
  // A model that never met these would prove little.
  const long n = coverage.histories;
  CHECK(coverage.fenced > n);
  CHECK(coverage.kills > n);
  CHECK(coverage.restores > n / 10);
  CHECK(coverage.redriven > n / 4);
  CHECK(coverage.reloads > n);
}

/// A mutant must be caught within so many histories, and for the reason that it stands for.
void caught(Mutant mutant, std::uint64_t within, bool (*reason)(const Verdict&)) {
  for (std::uint64_t seed = 1; seed <= within; ++seed) {
    if (reason(run_history(seed, mutant))) return;
  }
  FAIL("the defect went unnoticed through " << within << " histories");
}

bool lost(const Verdict& v) { return v.lost > 0; }
bool doubled(const Verdict& v) { return v.doubled > 0; }
bool disordered(const Verdict& v) { return v.disordered > 0; }

TEST_CASE("marks per stream alone lose messages") { caught(Mutant::marks_per_stream, 20, lost); }

TEST_CASE("marks without the epoch lose messages after a restore") {
  caught(Mutant::marks_without_epoch, 500, lost);
}

TEST_CASE("an epoch without the clock loses messages after a restore") {
  caught(Mutant::epoch_without_clock, 2'000, lost);
}

TEST_CASE("commits without a fence double messages") { caught(Mutant::no_fence, 50, doubled); }

TEST_CASE("an offset committed before its unit loses messages") {
  caught(Mutant::offset_before_unit, 50, lost);
}

TEST_CASE("rows acknowledged before they are in the log are lost") {
  caught(Mutant::acked_before_written, 50, lost);
}

TEST_CASE("publishing before the commit doubles messages") {
  caught(Mutant::publish_before_commit, 50, doubled);
}

TEST_CASE("results of parked messages committed apart lose messages") {
  caught(Mutant::parked_apart, 200, lost);
}

TEST_CASE("a pending row whose removal is lost doubles its message") {
  caught(Mutant::lost_tombstone, 50, doubled);
}

TEST_CASE("a timer removed after the commit of its message fires twice") {
  caught(Mutant::timer_kept, 500, doubled);
}

TEST_CASE("a redriven message that keeps its id is lost") {
  caught(Mutant::redrive_old_id, 100, [](const Verdict& v) { return v.lost > 0 || v.stuck; });
}

TEST_CASE("a dead letter that is redriven again before the commit is answered is doubled") {
  caught(Mutant::redrive_twice, 2'000, doubled);
}

TEST_CASE("a key that does not wait for a retry loses its order") {
  caught(Mutant::key_not_blocked, 100, disordered);
}

TEST_CASE("a result committed before an earlier one of its key doubles that") {
  caught(Mutant::results_overtake, 500, [](const Verdict& v) { return !v.good(); });
}

TEST_CASE("a reload that drops what runs loses messages") {
  caught(Mutant::reload_drops, 100, [](const Verdict& v) { return v.lost > 0 || v.stuck; });
}

}  // namespace
}  // namespace host::model
