// Commits that wait together share a transaction, and none of them another's fate.
#include <catch2/catch.hpp>
#include <list>

#include "tests/integration/postgres/deployment.h"

namespace host::postgres_tests {
namespace {

/// A process whose connection is held up at its first commit until release(): the row of that shard
/// is locked by somebody else.
class HeldUp {
 public:
  explicit HeldUp(int shards) : host_(database_) {
    host_.options.limits.lock = std::chrono::seconds(30);
    host_.reopen();
    for (PartitionNumber p = 0; p < shards; ++p) images_.push_back(host_.claim({"owls", p}));
    lock_ = database_.connect_here();
    lock_->execute("begin");
    lock_->execute("select 1 from plugin_owls.host_shard where number = 0 for update");
    submit(commit_of(0, "first"));
    REQUIRE(eventually([this] {
      return database_.connect_here()
                 ->run("", "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
                 .integer(0, 0) == 1;
    }));
  }

  /// The next commit of a shard, waiting behind the first.
  ShardCommit commit_of(PartitionNumber number, const std::string& value) const {
    return next_commit({"owls", number}, images_[static_cast<std::size_t>(number)], "harry", value);
  }
  void submit(ShardCommit commit) {
    answers_.emplace_back();
    host_.store().commit(std::make_shared<const ShardCommit>(std::move(commit)), host_.executor(),
                         answers_.back().taker());
  }
  /// How all of them ended, in the order in which they were submitted.
  std::vector<Status> release() {
    lock_->execute("rollback");
    std::vector<Status> ends;
    for (auto& answer : answers_) ends.push_back(await(host_, answer).status);
    return ends;
  }
  /// How many commits each transaction had.
  std::vector<double> jobs() { return host_.metrics().observed("host_store_transaction_jobs"); }
  Deployment& host() { return host_; }
  const TestDatabase& database() const { return database_; }

 private:
  const TestDatabase database_;
  Deployment host_;
  std::vector<ShardImage> images_;
  std::unique_ptr<postgres::Connection> lock_;
  std::list<Answer<CommitResult>> answers_;  // they stay where they are
};

const Status kCommitted = Status::committed;

TEST_CASE("commits of several shards that wait for a connection are one transaction",
          "[postgres]") {
  HeldUp held(4);
  for (PartitionNumber p : {3, 1, 2}) held.submit(held.commit_of(p, "v" + std::to_string(p)));
  CHECK(held.release() == std::vector<Status>(4, kCommitted));
  CHECK(held.jobs() == std::vector<double>{1, 3});
  Deployment other(held.database());
  for (PartitionNumber p : {1, 2, 3}) {
    CHECK(held.host().state({"owls", p}, "harry") == "v" + std::to_string(p));
    CHECK(other.read({"owls", p}, "harry") == "v" + std::to_string(p));
  }
}

TEST_CASE("a shard that was lost does not take those along that commit with it", "[postgres]") {
  HeldUp held(4);
  Deployment thief(held.database());
  thief.claim({"owls", 2});
  for (PartitionNumber p : {1, 2, 3}) held.submit(held.commit_of(p, "mine"));
  CHECK(held.release() == std::vector<Status>{kCommitted, kCommitted, Status::fenced, kCommitted});
  CHECK(thief.state({"owls", 2}, "harry") == std::nullopt);
  CHECK(thief.read({"owls", 1}, "harry") == "mine");
  CHECK(thief.read({"owls", 3}, "harry") == "mine");
}

TEST_CASE("a shard that is not ours any more does not take those along, either", "[postgres]") {
  HeldUp held(2);
  ShardCommit never_claimed = held.commit_of(1, "x");
  never_claimed.shard.number = 7;
  held.submit(std::move(never_claimed));
  held.submit(held.commit_of(1, "mine"));
  CHECK(held.release() == std::vector<Status>{kCommitted, Status::fenced, kCommitted});
}

TEST_CASE("two commits of a shard are two transactions, in order", "[postgres]") {
  HeldUp held(2);
  ShardCommit second = held.commit_of(1, "two");
  ++second.commit_no;
  held.submit(held.commit_of(1, "one"));
  held.submit(std::move(second));
  CHECK(held.release() == std::vector<Status>(3, kCommitted));
  CHECK(held.jobs() == std::vector<double>{1, 1, 1});
  CHECK(held.host().state({"owls", 1}, "harry") == "two");
}

TEST_CASE("answers that may be refused go alone, and what is large goes apart", "[postgres]") {
  HeldUp held(4);
  ShardCommit answer = held.commit_of(1, "asked");
  ports::KeptAnswer& kept = answer.answers.emplace_back();
  kept.scope = "owls/POST/1";
  kept.until = held.host().clock().now() + std::chrono::hours(1);
  ShardCommit large = held.commit_of(3, std::string(std::size_t{3} << 20, 'x'));
  held.submit(std::move(answer));
  held.submit(held.commit_of(2, "small"));
  held.submit(std::move(large));
  CHECK(held.release() == std::vector<Status>(4, kCommitted));
  CHECK(held.jobs() == std::vector<double>{1, 1, 1, 1});
}

TEST_CASE("when the connection is lost under several, none of them is guessed at", "[postgres]") {
  HeldUp held(3);
  held.submit(held.commit_of(1, "one"));
  held.submit(held.commit_of(2, "two"));
  held.database().connect_here()->execute(
      "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'");
  const std::vector<Status> ends = held.release();
  CHECK(ends[0] != kCommitted);
  for (PartitionNumber p : {1, 2}) {
    // On a new connection, or told to try again.
    const Status end = ends[static_cast<std::size_t>(p)];
    CHECK((end == kCommitted || end == Status::not_now));
    CHECK((end == kCommitted) == held.host().read({"owls", p}, "harry").has_value());
  }
}

}  // namespace
}  // namespace host::postgres_tests
