#pragma once

#include <cstdint>
#include <string>

/// Ownership by leases as a model: no host code, only what it must do. Processes beat, look, take
/// and give shards, stall (SIGSTOP) and go on, die, leave and come back; the database stalls. The
/// epoch of a claim is the safety, the lease only says who should claim.
namespace host::model {

/// A defect of membership that is built in on purpose, to see that the model notices.
enum class LeaseMutant {
  none,
  no_fence,             // a commit demands nothing
  lease_as_fence,       // a commit demands the lease of a process that keeps its name for ever
  dead_at_first_sight,  // not seen twice by one that beat in between
  never_buried,         // nobody says that a member is dead
  greedy,               // takes whatever is free
  gives_nothing,        // who has more than its share keeps it
  gives_down_to_floor,  // who has the one shard more than others gives it away
  leaver_counts,        // a member that is leaving counts for the shares
  released_at_once,     // before what runs is committed
  leaves_without_word,  // and releases nothing
  fights,               // a fenced process claims anew without a look at the lease
};

/// What a history of memberships did wrong.
struct LeaseVerdict {
  int lost = 0;             // records without their effect
  int doubled = 0;          // records with two, or out of order
  int living_buried = 0;    // members that ran, at most the database stood
  int fenced_in_peace = 0;  // commits fenced while nobody was stopped, killed or buried
  int slow_leave = 0;       // shards of an orderly leaver that were not served within a second
  int slow_death = 0;       // shards of a killed one, not within 15 s
  int unserved = 0;         // shards at the end
  int unbalanced = 0;       // members at the end more than one shard beside another
  int fought = 0;           // commits fenced when all had come to rest
  int moved = 0;            // leases that changed hands when all had come to rest

  bool good() const;
  std::string to_string() const;
};

struct LeaseCoverage {
  long histories = 0, kills = 0, stops = 0, stalls = 0, leaves = 0, burials = 0, fenced = 0;
};

/// Same seed, same history.
LeaseVerdict run_membership(std::uint64_t seed, LeaseMutant mutant,
                            LeaseCoverage* coverage = nullptr);

}  // namespace host::model
