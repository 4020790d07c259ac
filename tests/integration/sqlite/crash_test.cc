// kill -9 in the middle of commits: each is there whole or not at all, and what was acknowledged
// is there.

#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <random>

#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

const ShardRef kShard{"owls", 0};
constexpr int kOutgoing = 3;  // a commit

/// Commits and appends until it is killed; writes a byte a commit that was acknowledged.
[[noreturn]] void run_until_killed(const std::filesystem::path& dir, int acknowledged) {
  Deployment d(dir);
  must(d.store().migrate("owls", {"create table owls_count (id bigint primary key, n bigint)"}));
  must(d.log().ensure_topics(std::vector<ports::TopicSettings>{{.name = "out", .partitions = 1},
                                                               {.name = "in", .partitions = 1}}));
  auto image = d.claim(kShard);
  while (true) {
    const std::string number = std::to_string(image.commit_no + 1);
    ShardCommit commit = next_commit(kShard, image);
    commit.states = {{"a", {number, 1, {}}}, {"b", {number + std::string(20'000, '.'), 1, {}}}};
    commit.next_offsets = {{"in", image.commit_no + 1}};
    for (int i = 0; i < kOutgoing; ++i) {
      commit.outgoing.push_back({image.epoch, ++commit.seq, record("out", 0, number)});
    }
    commit.units = {{"m",
                     {{"insert into owls_count (id, n) values (1, 1)"
                       " on conflict (id) do update set n = owls_count.n + 1",
                       {}}}}};
    Answer<Result<std::vector<Result<Offset>>>> appended;
    d.log().append({record("in", 0, "beside")}, d.executor(), appended.taker());
    if (d.commit(commit).status != Status::committed) ::_exit(3);
    must(await(d, appended));
    ++image.commit_no;
    image.seq = commit.seq;
    if (::write(acknowledged, "x", 1) != 1) ::_exit(4);
  }
}

/// Starts a child, kills it some time after its `count`th acknowledgement; how many there were.
int kill_after(const std::filesystem::path& dir, int count, int spin) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(pipe[0]);
    run_until_killed(dir, pipe[1]);
  }
  ::close(pipe[1]);
  char byte = 0;
  int seen = 0;
  while (seen < count && ::read(pipe[0], &byte, 1) == 1) ++seen;
  std::atomic<int> spun = 0;
  while (++spun < spin) {
  }
  ::kill(pid, SIGKILL);
  while (::read(pipe[0], &byte, 1) == 1) ++seen;
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(seen >= count);
  return seen;
}

TEST_CASE("a process killed in the middle of commits leaves each whole or not at all") {
  TemporaryFolder folder;
  std::mt19937 chance(7);
  std::int64_t committed = 0;
  for (int round = 0; round < 15; ++round) {
    const int acknowledged = kill_after(folder.path(), 1 + static_cast<int>(chance() % 20),
                                        static_cast<int>(chance() % 400'000));
    Deployment d(folder.path());
    const auto image = d.claim(kShard);
    CAPTURE(round, acknowledged, committed, image.commit_no);
    CHECK(image.commit_no >= committed + acknowledged);
    CHECK(image.commit_no <= committed + acknowledged + 1);  // the one on its way
    committed = image.commit_no;
    const std::string number = std::to_string(committed);
    CHECK(d.state(kShard, "a") == number);
    CHECK(d.state(kShard, "b") == number + std::string(20'000, '.'));
    CHECK(image.seq == committed * kOutgoing);
    CHECK(image.next_offsets.at("in") == committed);
    const SqlRows rows = must(d.query("owls", {"select n from owls_count", {}}));
    CHECK(rows.rows.at(0).at(0) == SqlValue{committed});
    REQUIRE(contract::range(d, "out", 0).end == committed * kOutgoing);
    for (Offset at = 0; at < committed * kOutgoing;) {
      const ports::Fetched fetched = must(d.fetch("out", 0, at));
      for (const Record& r : fetched.records) {
        REQUIRE(r.offset == at);
        REQUIRE(r.payload == std::to_string(at / kOutgoing + 1));
        ++at;
      }
    }
  }
  CHECK(committed > 15);
}

}  // namespace
}  // namespace host::sqlite_tests
