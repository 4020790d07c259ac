#include <catch2/catch.hpp>

#include "tests/model/membership.h"

namespace host::model {
namespace {

constexpr std::uint64_t kHistories = 2'000;

/// A mutant must be caught within so many histories, and for the reason that it stands for.
void caught(LeaseMutant mutant, std::uint64_t within, int LeaseVerdict::*reason) {
  for (std::uint64_t seed = 1; seed <= within; ++seed) {
    if (run_membership(seed, mutant).*reason > 0) return;
  }
  FAIL("the defect went unnoticed through " << within << " histories");
}

}  // namespace

TEST_CASE("leases move shards without loss, serve them in time, keep a balance and come to rest") {
  LeaseCoverage coverage;
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    const LeaseVerdict verdict = run_membership(seed, LeaseMutant::none, &coverage);
    INFO("seed " << seed << ": " << verdict.to_string());
    REQUIRE(verdict.good());
  }
  const long n = coverage.histories;
  CHECK(coverage.kills > n / 4);
  CHECK(coverage.stops > n / 4);
  CHECK(coverage.stalls > n / 8);
  CHECK(coverage.leaves > n);
  CHECK(coverage.burials > n / 4);
  CHECK(coverage.fenced > n / 10);
}

TEST_CASE("without a fence a process that goes on after a stop doubles records") {
  caught(LeaseMutant::no_fence, 100, &LeaseVerdict::doubled);
}

TEST_CASE("a lease is no fence: who lost it and has it again doubles records") {
  caught(LeaseMutant::lease_as_fence, 500, &LeaseVerdict::doubled);
}

TEST_CASE("a member that is dead at first sight is buried alive when the database stalls") {
  caught(LeaseMutant::dead_at_first_sight, 100, &LeaseVerdict::living_buried);
}

TEST_CASE("shards of a dead member that nobody buries are served no more") {
  caught(LeaseMutant::never_buried, 50, &LeaseVerdict::unserved);
}

TEST_CASE("members that take all that is free have no balance") {
  caught(LeaseMutant::greedy, 50, &LeaseVerdict::unbalanced);
}

TEST_CASE("members that give nothing leave a new one without shards") {
  caught(LeaseMutant::gives_nothing, 50, &LeaseVerdict::unbalanced);
}

TEST_CASE("members that all go down to the smallest share pass shards around for ever") {
  caught(LeaseMutant::gives_down_to_floor, 50, &LeaseVerdict::moved);
}

TEST_CASE("a leaver that counts for the shares keeps the others from taking what it releases") {
  caught(LeaseMutant::leaver_counts, 100, &LeaseVerdict::slow_leave);
}

TEST_CASE("a lease released before the work is committed has that work fenced") {
  caught(LeaseMutant::released_at_once, 100, &LeaseVerdict::fenced_in_peace);
}

TEST_CASE("shards of one that leaves without a word wait until it is buried") {
  caught(LeaseMutant::leaves_without_word, 50, &LeaseVerdict::slow_leave);
}

TEST_CASE("fenced processes that claim anew without a look fight for ever") {
  caught(LeaseMutant::fights, 100, &LeaseVerdict::fought);
}

}  // namespace host::model
