// Connections and servers that go away, at every place of a commit: what is known is said, what is
// not known is never guessed, nothing is lost or done twice.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/integration/postgres/deployment.h"

namespace host::postgres_tests {
namespace {

const ShardRef kShard{"owls", 1};

/// A trigger that runs `body` when the record of a commit is written; or, put off, at COMMIT.
void at_record(postgres::Connection& db, std::int64_t commit_no, bool at_commit,
               const std::string& body) {
  db.execute(
      "create or replace function public.harm() returns trigger language plpgsql as $$"
      "begin if new.commit_no = " +
      std::to_string(commit_no) + " then " + body + "; end if; return new; end$$");
  db.execute(std::string("create constraint trigger harm after insert on"
                         " plugin_owls.host_journal ") +
             (at_commit ? "deferrable initially deferred" : "") +
             " for each row execute function public.harm()");
}

/// Ends every connection of the host, as an administrator or a failing network does.
int end_backends(postgres::Connection& db) {
  return db
      .run("",
           "select pg_terminate_backend(pid) from pg_stat_activity"
           " where datname = current_database() and pid <> pg_backend_pid()")
      .size();
}

TEST_CASE("a backend that ends inside a commit wrote nothing, and the same commit goes through",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  const ShardImage image = host.claim(kShard);
  const auto db = database.connect_here();
  at_record(*db, image.commit_no + 1, false, "perform pg_terminate_backend(pg_backend_pid())");
  const ShardCommit commit = next_commit(kShard, image, "harry", "one");
  const CommitResult ended = host.commit(commit);
  INFO(ended.error.to_string());
  CHECK(ended.status == Status::not_now);
  CHECK(ended.error.code == Error::Code::unavailable);
  CHECK(ended.error.retryable);
  CHECK_FALSE(host.state(kShard, "harry"));
  db->execute("drop trigger harm on plugin_owls.host_journal");
  CHECK(host.commit(commit).status == Status::committed);
  CHECK(host.state(kShard, "harry") == "one");
}

TEST_CASE("a connection to a server that only reads is not kept", "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  host.options.url =
      must(postgres::Conninfo::parse(database.url())).with("target_session_attrs", "any").text();
  host.reopen();
  const ShardImage image = host.claim(kShard);
  const auto db = database.connect_here();
  const std::string set =
      "alter database " + database.name() + " set default_transaction_read_only";
  db->execute(set + " = on");
  end_backends(*db);
  const ShardCommit commit = next_commit(kShard, image, "harry", "one");
  REQUIRE(eventually([&] {
    return host.commit(commit).error.to_string().find("read-only") != std::string::npos;
  }));
  db->execute(set + " = off");  // only a new connection knows
  CHECK(host.commit(commit).status == Status::committed);
}

TEST_CASE("a backend that ends at COMMIT leaves the outcome unknown; a claim shows it",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  ShardImage image = host.claim(kShard);
  const auto db = database.connect_here();
  at_record(*db, image.commit_no + 1, true, "perform pg_terminate_backend(pg_backend_pid())");
  const CommitResult ended = host.commit(next_commit(kShard, image, "harry", "one"));
  INFO(ended.error.to_string());
  CHECK(ended.status == Status::unknown);
  db->execute("drop trigger harm on plugin_owls.host_journal");
  const ShardImage again = host.claim(kShard);
  CHECK(again.commit_no == image.commit_no);
  CHECK_FALSE(host.state(kShard, "harry"));
}

TEST_CASE("an answer that is not heard leaves the outcome unknown, though it was committed",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  const ShardImage image = host.claim(kShard);
  host.options.limits.answer = std::chrono::milliseconds(200);
  host.reopen();
  const ShardImage mine = host.claim(kShard);
  const auto db = database.connect_here();
  at_record(*db, mine.commit_no + 1, true, "perform pg_advisory_xact_lock(1)");
  db->execute("select pg_advisory_lock(1)");  // COMMIT waits for us, longer than the host does
  const CommitResult unheard = host.commit(next_commit(kShard, mine, "harry", "one"));
  INFO(unheard.error.to_string());
  CHECK(unheard.status == Status::unknown);
  db->execute("select pg_advisory_unlock(1)");
  ShardImage again;
  CHECK(eventually([&] {  // it waits for the one that commits
    auto claimed = host.try_claim(kShard);
    if (claimed) again = *claimed;
    return claimed.ok();
  }));
  CHECK(again.commit_no == mine.commit_no + 1);
  CHECK(again.epoch > mine.epoch);
  CHECK(host.state(kShard, "harry") == "one");
  CHECK(image.epoch < mine.epoch);
}

TEST_CASE("a commit that cannot be written is not now; a deadlock or a full disk is no defect",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  const ShardImage image = host.claim(kShard);
  const auto db = database.connect_here();
  const char* state = GENERATE("53100", "40001", "40P01", "55P03", "53200");
  const bool at_commit = GENERATE(false, true);
  CAPTURE(state, at_commit);
  at_record(*db, image.commit_no + 1, at_commit,
            std::string("raise exception 'harm' using errcode = '") + state + "'");
  const ShardCommit commit = next_commit(kShard, image, "harry", "one");
  const CommitResult refused = host.commit(commit);
  CHECK(refused.status == Status::not_now);
  CHECK(refused.error.retryable);
  CHECK(host.store().health() != "");
  CHECK(host.logger().lines().empty());
  db->execute("drop trigger harm on plugin_owls.host_journal");
  CHECK(host.commit(commit).status == Status::committed);
  CHECK(host.store().health() == "");
}

TEST_CASE("connections that end again and again lose nothing and double nothing", "[postgres]") {
  const TestDatabase database;
  Deployment host(database, {.tail_bytes = 2'000});
  host.claim(kShard);
  std::atomic<bool> done{false};
  std::atomic<int> ended{0};
  std::atomic<int> turn{0};
  std::thread killer([&] {
    const auto db = database.connect_here();
    for (int next = 0; !done;) {
      if (turn < next) continue;
      ended += end_backends(*db);
      next = turn + 3;
    }
  });
  // What the host did, as its database says it; what it believes is thrown away when in doubt.
  std::int64_t count = 0, seq = 0;
  int unknown = 0, commits = 0;
  std::optional<ShardImage> image;
  const auto enough = [&] { return commits >= 200 && ended >= 100; };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!enough() && std::chrono::steady_clock::now() < deadline) {
    ++turn;
    if (!image) {
      auto claimed = host.try_claim(kShard);
      if (!claimed) {
        REQUIRE(claimed.error().retryable);
        continue;
      }
      image = *claimed;
      REQUIRE(image->outgoing.size() == static_cast<std::size_t>(image->seq - image->acked_seq));
      REQUIRE((image->seq == seq || image->seq == seq + 1));
      count = seq = image->seq;
    }
    ShardCommit commit = next_commit(kShard, *image, "count", std::to_string(count + 1));
    commit.seq = seq + 1;
    commit.acked_seq = seq;
    commit.outgoing = {{image->epoch, commit.seq, {"letters", 0, "k", "p", {}}}};
    commit.replies = {{"ask" + std::to_string(count + 1), "r", host.clock().now()}};
    const CommitResult result = host.commit(commit);
    if (result.status == Status::committed) {
      ++image->commit_no;
      ++commits;
      image->seq = seq = commit.seq;
      image->acked_seq = commit.acked_seq;
      ++count;
    } else if (result.status == Status::unknown) {
      ++unknown;
      image.reset();
    } else {
      REQUIRE(result.status == Status::not_now);
    }
  }
  done = true;
  killer.join();
  INFO(commits << " commits, " << ended << " backends ended, " << unknown << " outcomes unknown");
  CHECK(enough());
  CHECK(eventually([&] { return host.try_claim(kShard).ok(); }));
  const ShardImage last = host.claim(kShard);
  CHECK(host.state(kShard, "count") == std::to_string(last.seq));
  CHECK((last.seq == seq || last.seq == seq + 1));
  const postgres::Rows replies = database.connect_here()->run(
      "", "select count(*), count(distinct ask_id) from plugin_owls.host_reply");
  CHECK(replies.integer(0, 0) == last.seq);
  CHECK(replies.integer(0, 1) == last.seq);
}

TEST_CASE("while the database is away all is answered, and work goes on when it is back",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  host.options.look_every = std::chrono::milliseconds(20);
  host.reopen();
  const ShardImage image = host.claim(kShard);
  const auto admin = connect("postgres");
  admin->execute("alter database " + database.name() + " allow_connections false");
  admin->execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = '" +
                 database.name() + "'");
  const ShardCommit commit = next_commit(kShard, image, "harry", "one");
  CHECK(host.commit(commit).status == Status::not_now);
  const auto states = host.try_states(kShard, {"harry"});
  REQUIRE_FALSE(states.ok());
  CHECK(states.error().code == Error::Code::unavailable);
  CHECK(states.error().retryable);
  CHECK_FALSE(host.try_list("owls").ok());
  CHECK_FALSE(host.try_claim({"toads", 1}).ok());
  CHECK(eventually([&] { return !host.store().health().empty(); }));

  admin->execute("alter database " + database.name() + " allow_connections true");
  CHECK(eventually([&] { return host.store().health().empty(); }));
  CHECK(eventually([&] { return host.commit(commit).status == Status::committed; }));
  CHECK(host.state(kShard, "harry") == "one");
}

TEST_CASE("a store that waits for its database can be stopped, twice", "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  host.options.limits.lock = std::chrono::seconds(30);  // not over before the stop gives up
  host.reopen();
  const ShardImage image = host.claim(kShard);
  const auto db = database.connect_here();
  at_record(*db, image.commit_no + 1, true, "perform pg_advisory_xact_lock(1)");
  db->execute("select pg_advisory_lock(1)");
  Answer<CommitResult> answer;
  host.store().commit(
      std::make_shared<const ShardCommit>(next_commit(kShard, image, "harry", "one")),
      host.executor(), answer.taker());
  const auto waits = [&db] {
    return db->run("",
                   "select 1 from pg_stat_activity where datname = current_database()"
                   " and wait_event_type = 'Lock'")
               .size() == 1;
  };
  REQUIRE(eventually(waits));  // what was not sent yet is known to have written nothing
  host.store().stop();
  host.store().stop();
  CHECK(await(host, answer).status == Status::unknown);
  CHECK(host.store().health() != "");
}

}  // namespace
}  // namespace host::postgres_tests
