// What the embedded adapter measures of itself, and what it says when it is slow.

#include <numeric>

#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

const ShardRef kShard{"a", 0};

struct World {
  explicit World(bool threads = true) : d(folder.path(), threads) {
    must(d.store().open_deployment(2));
    must(d.log().ensure_topics(std::vector<ports::TopicSettings>{{.name = "o", .partitions = 2}}));
    must(d.store().migrate("a", {"create table a_t (id bigint primary key)"}));
    image = d.claim(kShard);
  }
  void commit(std::vector<SqlStatement> sql = {}) {
    ShardCommit commit = next_commit(kShard, image);
    commit.states = {{"k", {"bytes", 1, {}}}};
    if (!sql.empty()) commit.units = {{"m", std::move(sql)}};
    REQUIRE(d.commit(std::move(commit)).status == Status::committed);
    ++image.commit_no;
  }
  std::size_t count(const char* name) { return d.metrics().observed(name).size(); }
  double sum(const char* name) {
    const auto values = d.metrics().observed(name);
    return std::accumulate(values.begin(), values.end(), 0.0);
  }

  TemporaryFolder folder;
  Deployment d;
  ports::ShardImage image;
};

constexpr const char* kSlow = "a commit took long";

TEST_CASE("a transaction, its sync and the wait for it are measured apart") {
  World w;
  const std::size_t before = w.count("host_store_transaction_seconds");
  const std::size_t waited = w.count("host_store_queue_seconds");
  w.commit();
  CHECK(w.count("host_store_transaction_seconds") == before + 1);
  CHECK(w.count("host_store_queue_seconds") == waited + 1);
  CHECK(w.count("host_store_sync_seconds") == w.count("host_store_transaction_seconds"));
  CHECK(w.sum("host_store_sync_seconds") > 0);
  CHECK(w.sum("host_store_sync_seconds") < w.sum("host_store_transaction_seconds"));
  CHECK(w.d.metrics().observed("host_store_transaction_jobs").back() == 1);
}

TEST_CASE("each statement of a plugin is measured by what it does") {
  const bool threads = GENERATE(true, false);
  World w(threads);
  w.commit({{"insert into a_t (id) values (1)", {}}, {"insert into a_t (id) values (2)", {}}});
  CHECK(w.count("host_sql_seconds") == 2);
  CHECK(must(w.d.query("a", {"select id from a_t", {}})).rows.size() == 2);
  CHECK_FALSE(w.d.query("a", {"select nothing from a_t", {}}).ok());
  CHECK(w.count("host_sql_seconds") == 4);
}

TEST_CASE("slow commits are told, one in a while with how many there were") {
  World w;
  w.d.options().slow_commit = Duration::zero();  // all of them are
  w.d.reopen();
  w.image = w.d.claim(kShard);
  const auto told = [&] { return w.d.logger().find(ports::LogLevel::warn, kSlow); };
  REQUIRE(told().size() == 1);
  CHECK(told().front().field("slow_ones") == "1");
  CHECK_FALSE(told().front().field("ms").empty());
  CHECK_FALSE(told().front().field("sync_ms").empty());
  for (int i = 0; i < 3; ++i) w.commit();
  CHECK(told().size() == 1);
  w.d.clock().set(w.d.clock().now() + std::chrono::seconds(10));
  w.commit();
  REQUIRE(told().size() == 2);
  CHECK(told().back().field("slow_ones") == "4");
}

TEST_CASE("what is quick enough is not told") {
  World w;
  w.d.options().slow_commit = std::chrono::hours(1);
  w.d.reopen();
  w.image = w.d.claim(kShard);
  w.commit();
  CHECK(w.d.logger().find(ports::LogLevel::warn, kSlow).empty());
}

TEST_CASE("the account tells files, topics and the journal's tail") {
  const bool threads = GENERATE(true, false);
  World w(threads);
  const std::string large(5000, 'x');
  must(w.d.append({record("o", 0, large), record("o", 0, large), record("o", 1, large)}));
  w.commit();
  w.d.clock().set(w.d.clock().now() + std::chrono::seconds(3));
  const sqlite::Account account = must(w.d.store().account());
  CHECK(account.file_bytes == std::filesystem::file_size(w.folder.file()));
  CHECK(account.wal_bytes == std::filesystem::file_size(w.folder.path() / "host.db-wal"));
  CHECK(account.disk_free_bytes > 0);
  REQUIRE(account.topics.size() == 1);
  CHECK(account.topics.front().name == "o");
  CHECK(account.topics.front().records == 3);
  CHECK(account.topics.front().bytes > 0);
  REQUIRE(account.journals.size() == 1);
  CHECK(account.journals.front().plugin == "a");
  CHECK(account.journals.front().bytes > 0);
  CHECK(account.journals.front().age == std::chrono::seconds(3));
}

}  // namespace
}  // namespace host::sqlite_tests
