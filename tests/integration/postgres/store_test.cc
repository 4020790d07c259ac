// The store on a real server: who owns what, what its tables hold, what it says of what is wrong.
#include <catch2/catch.hpp>

#include "tests/contract/store_support.h"
#include "tests/integration/histories.h"
#include "tests/integration/postgres/deployment.h"

namespace host::postgres_tests {
namespace {

const ShardRef kShard{"owls", 1};

postgres::Rows ask(const TestDatabase& database, const std::string& sql) {
  return database.connect_here()->run("", sql.c_str());
}

TEST_CASE("a shard on PostgreSQL tells what plain rows tell, to its owner and to others",
          "[postgres]") {
  unsigned seed = 100;
  for (const journal::Bounds& bounds : histories::kAllBounds) {
    CAPTURE(bounds.tail_bytes, bounds.share_percent);
    const TestDatabase database;
    Deployment owner(database, bounds), other(database, bounds);
    const auto look = [&](histories::Rows& rows, const ShardRef& shard) {
      other.clock().set(rows.clock().now());
      REQUIRE(histories::tale_of_reads(other, shard) == histories::tale_of_reads(rows, shard));
      REQUIRE(histories::tale_of_list(other) == histories::tale_of_list(rows));
      for (const char* key : {"k0", "k1"}) {
        const auto want = histories::asked<histories::Rows, StateRow>(
            rows, [&](auto& s, auto& e, auto taker) { s.read_state(shard, key, e, taker); });
        REQUIRE(other.read(shard, key) == want.bytes);
        REQUIRE(owner.read(shard, key) == want.bytes);
      }
    };
    histories::same_history(seed++, owner, 60, look);
  }
}

TEST_CASE("a zombie is fenced, and what it reads is what the new owner wrote", "[postgres]") {
  const TestDatabase database;
  Deployment zombie(database), owner(database);
  const ShardImage old = zombie.claim(kShard);
  REQUIRE(zombie.commit(next_commit(kShard, old, "harry", "one")).status == Status::committed);
  const ShardImage image = owner.claim(kShard);
  CHECK(image.epoch > old.epoch);
  REQUIRE(owner.commit(next_commit(kShard, image, "harry", "two")).status == Status::committed);

  CHECK(zombie.read(kShard, "harry") == "two");
  CHECK(must(zombie.try_list("owls")).items.at(0).state.bytes == "two");
  ShardImage late = old;
  ++late.commit_no;
  CHECK(zombie.commit(next_commit(kShard, late, "harry", "late")).status == Status::fenced);
  CHECK(zombie.state(kShard, "harry") == "two");
  CHECK(owner.state(kShard, "harry") == "two");
}

TEST_CASE("processes take turns at a shard, and none loses what another wrote", "[postgres]") {
  const TestDatabase database;
  Deployment hosts[] = {Deployment(database, {.tail_bytes = 300}), Deployment(database)};
  std::int64_t epoch = 0, seq = 0;
  for (int i = 0; i < 30; ++i) {
    Deployment& host = hosts[i % 2];
    ShardImage image = host.claim(kShard);
    CHECK(image.epoch > epoch);
    CHECK(image.seq == seq);
    CHECK(image.outgoing.size() == static_cast<std::size_t>(i > 0 ? 2 : 0));
    epoch = image.epoch;
    for (int n = 0; n < 2; ++n) {
      CHECK(host.state(kShard, "count").value_or("0") == std::to_string(2 * i + n));
      ShardCommit commit = next_commit(kShard, image, "count", std::to_string(2 * i + n + 1));
      commit.seq = ++seq;
      commit.acked_seq = n == 0 ? seq - 1 : seq - 2;
      if (n == 0 && i > 0) commit.acked_seq = seq - 1;
      commit.outgoing = {{image.epoch, seq, {"letters", 0, "k", "p", {}}}};
      if (n == 1) commit.acked_seq = seq - 2;
      REQUIRE(host.commit(commit).status == Status::committed);
      ++image.commit_no;
    }
  }
}

TEST_CASE("the tail of a shard stays bounded, the outbox waits for its acknowledgement",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database, {.tail_bytes = 20'000, .share_percent = 0});
  ShardImage image = host.claim(kShard);
  std::mt19937 random(7);
  const auto noise = [&] {  // what no compression makes smaller
    std::string bytes(150, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() & 0xff);
    return bytes;
  };
  const auto commit = [&](int round, bool acked) {
    ShardCommit next = next_commit(kShard, image, "", "");
    next.states.clear();
    for (int i = 0; i < 20; ++i) {
      next.states.push_back(
          {"k" + std::to_string((round * 7 + i * 13) % 500), StateRow{noise(), 1, {}}});
    }
    next.seq = image.seq + 1;
    next.acked_seq = acked ? image.seq : image.acked_seq;
    next.outgoing = {{image.epoch, next.seq, {"letters", 0, "k", "p", {}}}};
    REQUIRE(host.commit(next).status == Status::committed);
    ++image.commit_no;
    image.seq = next.seq;
    image.acked_seq = next.acked_seq;
  };
  const auto tail = [&] {
    return ask(database,
               "select coalesce(sum(octet_length(data)), 0)::bigint"
               " from plugin_owls.host_journal")
        .integer(0, 0);
  };
  std::int64_t longest = 0;
  for (int round = 0; round < 150; ++round) {
    commit(round, true);
    longest = std::max(longest, tail());
  }
  CHECK(longest > 20'000);
  CHECK(longest < 60'000);
  const auto waiting = [&] {
    return ask(database, "select count(*) from plugin_owls.host_outbox").integer(0, 0);
  };
  // Those that are acknowledged are removed together, or by a commit that adds none.
  CHECK(waiting() > 1);
  CHECK(waiting() <= 33);
  ShardCommit acknowledge = next_commit(kShard, image, "", "");
  acknowledge.states.clear();
  acknowledge.acked_seq = image.acked_seq = image.seq;
  REQUIRE(host.commit(acknowledge).status == Status::committed);
  ++image.commit_no;
  CHECK(waiting() == 0);
  for (int round = 0; round < 31; ++round) commit(round, false);
  CHECK(waiting() == 31);
  CHECK(tail() < 60'000);
  CHECK(host.claim(kShard).outgoing.size() == 31);
  image = host.claim(kShard);
  commit(1, true);
  CHECK(waiting() == 1);  // a claim does not know how many there are
}

TEST_CASE("an operator reads states as text, once they are carried over", "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  const ShardImage image = host.claim(kShard);
  ShardCommit commit = next_commit(kShard, image, "harry", R"({"owl":"Hedwig"})");
  commit.states.push_back({"broken", StateRow{"\xff\x00", 1, {}}});
  commit.dead = {contract::dead_letter("d", kShard, host.clock().now())};
  REQUIRE(host.commit(commit).status == Status::committed);
  must(host.store().carry_over_all());
  const postgres::Rows rows =
      ask(database, "select key, state, version from plugin_owls.host_states order by key");
  REQUIRE(rows.size() == 2);
  CHECK(rows.view(0, 1) == "\\377");
  CHECK(rows.view(1, 1) == R"({"owl":"Hedwig"})");
  CHECK(ask(database, "select count(*) from plugin_owls.host_journal").integer(0, 0) == 0);
  CHECK(host.state(kShard, "harry") == R"({"owl":"Hedwig"})");
  const postgres::Rows dead = ask(database, "select id, error from plugin_owls.host_dead_letters");
  REQUIRE(dead.size() == 1);
  CHECK(dead.view(0, 1) == "it broke");
}

TEST_CASE("idle shards are brought up to date by themselves", "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  host.options.look_every = std::chrono::milliseconds(10);
  host.reopen();
  const ShardImage image = host.claim(kShard);
  REQUIRE(host.commit(next_commit(kShard, image, "harry", "one")).status == Status::committed);
  host.clock().advance(std::chrono::seconds(11));
  CHECK(eventually([&] {
    return ask(database, "select count(*) from plugin_owls.host_journal").integer(0, 0) == 0;
  }));
  CHECK(ask(database, "select bytes from plugin_owls.host_state").view(0, 0) == "one");
}

TEST_CASE("who lost a shard tries once to bring it up to date, not for ever", "[postgres]") {
  const TestDatabase database;
  Deployment former(database), owner(database);
  former.options.look_every = std::chrono::milliseconds(10);
  former.reopen();
  const ShardImage image = former.claim(kShard);
  REQUIRE(former.commit(next_commit(kShard, image, "harry", "one")).status == Status::committed);
  const postgres::Rows committer = ask(database,
                                       "select pid from pg_stat_activity where query = 'commit'"
                                       " and datname = current_database()");
  REQUIRE(committer.size() == 1);
  const auto last_statement = [&] {
    return std::string(database.connect_here()
                           ->run("",
                                 "select state_change::text from pg_stat_activity where pid = $1",
                                 postgres::Params(committer.integer(0, 0)))
                           .view(0, 0));
  };
  owner.claim(kShard);
  const std::string commit = last_statement();
  former.clock().advance(std::chrono::seconds(11));
  REQUIRE(eventually([&] { return last_statement() != commit; }));
  CHECK(eventually([&] {
    const std::string before = last_statement();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return last_statement() == before;
  }));
  ShardCommit late = next_commit(kShard, image, "harry", "late");
  ++late.commit_no;
  CHECK(former.commit(late).status == Status::fenced);
  CHECK(owner.state(kShard, "harry") == "one");
}

TEST_CASE("what is not kept any more is dropped", "[postgres]") {
  const TestDatabase database;
  Deployment host(database, {.tail_bytes = 0});
  const Time now = host.clock().now();
  const Time soon = now + std::chrono::seconds(5), late = now + std::chrono::hours(1);
  ShardImage image = host.claim(kShard);
  ShardCommit commit = next_commit(kShard, image, "gone", "");
  commit.states = {{"gone", StateRow{std::nullopt, 1, soon}},
                   {"quiet", StateRow{std::nullopt, 1, late}}};
  commit.once_seen = {{"old", soon}, {"new", late}};
  commit.replies = {{"old", "p", soon}, {"new", "p", late}};
  commit.answers = {{.scope = "old", .request = {}, .response = {}, .until = soon},
                    {.scope = "new", .request = {}, .response = {}, .until = late}};
  REQUIRE(host.commit(commit).status == Status::committed);
  must(host.store().carry_over_all());
  host.clock().advance(std::chrono::seconds(6));
  must(host.store().retain_once());
  for (const char* table : {"host_state", "host_once_seen", "host_reply", "host_answer"}) {
    CAPTURE(table);
    CHECK(ask(database, std::string("select count(*) from plugin_owls.") + table).integer(0, 0) ==
          1);
  }
}

TEST_CASE("a journal row that was torn or changed stops its shard by name, and no other",
          "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  for (const PartitionNumber number : {1, 2}) {
    const ShardRef shard{"owls", number};
    const ShardImage image = host.claim(shard);
    REQUIRE(host.commit(next_commit(shard, image, "harry", "one")).status == Status::committed);
  }
  const char* damage = GENERATE("set_byte(data, 20, get_byte(data, 20) # 4)", "substr(data, 1, 19)",
                                "''::bytea", "set_byte(data, 0, 9)");
  ask(database,
      std::string("update plugin_owls.host_journal set data = ") + damage + " where shard = 1");
  host.reopen();
  const auto claimed = host.try_claim(kShard);
  REQUIRE_FALSE(claimed.ok());
  const bool newer = std::string_view(damage).find("9") != std::string_view::npos &&
                     std::string_view(damage).find(", 0,") != std::string_view::npos;
  CHECK(claimed.error().code == (newer ? Error::Code::unsupported : Error::Code::corrupt));
  CHECK_FALSE(claimed.error().retryable);
  CHECK_THAT(claimed.error().message, Catch::Contains("owls/1") && Catch::Contains("commit 1"));
  CHECK_THAT(claimed.error().hint, !Catch::Contains("data folder"));
  CHECK_FALSE(host.try_read(kShard, "harry").ok());
  CHECK_FALSE(host.try_list("owls").ok());
  host.claim({"owls", 2});
  CHECK(host.state({"owls", 2}, "harry") == "one");
}

Error open_error(const postgres::Options& options) {
  const auto store = must(postgres::PostgresStore::make(options));
  const auto opened = store->open_deployment(contract::kPartitions);
  REQUIRE_FALSE(opened.ok());
  return opened.error();
}

TEST_CASE("what is wrong with the database is said at once, with a hint", "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  const postgres::Conninfo where = must(postgres::Conninfo::parse(database.url()));
  postgres::Options options{.url = database.url(), .clock = host.clock()};

  options.password = [] { return std::string("alohomora"); };
  const Error password = open_error(options);
  CHECK(password.code == Error::Code::invalid);
  CHECK_FALSE(password.retryable);
  CHECK(password.hint != "");
  CHECK_THAT(password.to_string(), !Catch::Contains("alohomora") && Catch::Contains("tester"));

  options.password = nullptr;
  options.url = where.with("dbname", "nowhere").text();
  const Error missing = open_error(options);
  CHECK(missing.code == Error::Code::invalid);
  CHECK_FALSE(missing.retryable);
  CHECK(missing.hint != "");
  CHECK_THAT(missing.message, Catch::Contains("nowhere"));

  options.url = where.with("port", "1").text();
  const Error away = open_error(options);
  CHECK(away.code == Error::Code::unavailable);
  CHECK(away.retryable);
  CHECK_THAT(away.message, Catch::Contains("127.0.0.1"));

  CHECK_FALSE(postgres::PostgresStore::make({.url = "http://x", .clock = host.clock()}).ok());
}

// The first key that it cannot hold would have stopped its shard.
TEST_CASE("a database of another encoding is refused", "[postgres]") {
  const std::string name = "latin_" + std::to_string(::getpid());
  const auto admin = postgres_tests::connect("postgres");
  admin->execute("create database " + name +
                 " encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'");
  const TestDatabase other;
  Deployment host(other);
  const Error error =
      open_error({.url = must(postgres::Conninfo::parse(other.url())).with("dbname", name).text(),
                  .clock = host.clock()});
  admin->execute("drop database " + name + " with (force)");
  CHECK(error.code == Error::Code::unsupported);
  CHECK_THAT(error.to_string(), Catch::Contains("LATIN1") && Catch::Contains("template0"));
}

TEST_CASE("a database that may forget what it committed is told of at the start", "[postgres]") {
  const TestDatabase database;
  const auto told = [&] {
    Deployment host(database);
    return host.logger().find(ports::LogLevel::warn, "may undo what was answered").size();
  };
  CHECK(told() == 0);
  database.connect_here()->execute("alter database " + database.name() +
                                   " set synchronous_commit = off");
  CHECK(told() == 1);
}

TEST_CASE("a newer schema is refused and not touched", "[postgres]") {
  const TestDatabase database;
  Deployment host(database);
  host.claim(kShard);
  ask(database, "update host.plugin set version = 99");
  host.reopen();
  const auto claimed = host.try_claim(kShard);
  REQUIRE_FALSE(claimed.ok());
  CHECK(claimed.error().code == Error::Code::unsupported);
  CHECK_THAT(claimed.error().to_string(),
             Catch::Contains("plugin_owls") && Catch::Contains("99") && Catch::Contains("newer"));

  ask(database, "update host.meta set value = '77' where name = 'schema_version'");
  const Error newer = open_error(host.options);
  CHECK(newer.code == Error::Code::unsupported);
  CHECK_THAT(newer.to_string(), Catch::Contains("77") && Catch::Contains("run the newer version"));
}

}  // namespace
}  // namespace host::postgres_tests
