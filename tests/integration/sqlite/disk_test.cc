// The embedded adapter on a disk that is full, fails to sync, or has turned bits.

#include <sqlite3.h>

#include "tests/integration/sqlite/faulty_disk.h"
#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

const ShardRef kShard{"owls", 0};

void make_topic(Deployment& d) {
  must(d.log().ensure_topics(std::vector<ports::TopicSettings>{{.name = "owls", .partitions = 2}}));
}

ShardCommit with_state(const ports::ShardImage& image, const std::string& bytes) {
  ShardCommit commit = next_commit(kShard, image);
  commit.states = {{"harry", {bytes, 1, {}}}};
  commit.outgoing.push_back({image.epoch, image.seq + 1, record("owls", 0, bytes)});
  ++commit.seq;
  return commit;
}

TEST_CASE("a full disk writes nothing, says so, and heals when there is room") {
  const bool threads = GENERATE(true, false);
  FaultyDisk disk;
  TemporaryFolder folder;
  Deployment d(folder.path(), threads);
  make_topic(d);
  auto image = d.claim(kShard);
  REQUIRE(d.commit(with_state(image, "one")).status == Status::committed);
  ++image.commit_no;
  ++image.seq;

  disk.fill();
  const CommitResult full = d.commit(with_state(image, "two"));
  CHECK(full.status == Status::not_now);
  CHECK(full.error.code == Error::Code::exhausted);
  CHECK(full.error.retryable);
  CHECK_THAT(full.error.message, Catch::Contains("full"));
  const auto appended = d.append({record("owls", 1, "x")});
  REQUIRE_FALSE(appended.ok());
  CHECK(appended.error().code == Error::Code::exhausted);
  CHECK_THAT(d.store().health(), Catch::Contains("full"));
  CHECK(d.state(kShard, "harry") == "one");
  CHECK(contract::range(d, "owls", 0).end == 1);

  disk.make_room();
  CHECK(d.commit(with_state(image, "two")).status == Status::committed);
  CHECK(d.store().health() == "");
  CHECK(d.state(kShard, "harry") == "two");
  CHECK(contract::payloads(contract::read_all(d, "owls", 0)) ==
        std::vector<std::string>{"one", "two"});
  d.reopen();
  CHECK(d.state(kShard, "harry") == "two");
  CHECK(!d.logger().find(ports::LogLevel::error, "full").empty());
}

TEST_CASE("what is not written is counted as a failure") {
  FaultyDisk disk;
  TemporaryFolder folder;
  Deployment d(folder.path(), true);
  make_topic(d);
  CHECK(d.metrics().value("host_store_failures_total") == 0);
  disk.fill();
  REQUIRE_FALSE(d.append({record("owls", 1, "x")}).ok());
  CHECK(d.metrics().value("host_store_failures_total") == 1);
}

TEST_CASE("a full disk stays known while nobody writes") {
  FaultyDisk disk;
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d);
  must(d.append({record("owls", 1, "before")}));
  disk.fill();
  CHECK_FALSE(d.append({record("owls", 1, "x")}).ok());
  must(d.log().retain_once());  // finds nothing to drop
  CHECK_THAT(d.store().health(), Catch::Contains("full"));
  CHECK(d.logger().find(ports::LogLevel::info, "can be written again").empty());
}

TEST_CASE("a file system without a write-ahead log is refused") {
  FaultyDisk disk;
  FaultyDisk::no_shared_memory = true;
  TemporaryFolder folder;
  fakes::ManualClock clock;
  const auto opened = sqlite::Database::open({.dir = folder.path(), .clock = clock});
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == Error::Code::unavailable);
  CHECK_THAT(opened.error().message, Catch::Contains("write-ahead log"));
}

TEST_CASE("a full disk is found well again without anybody writing") {
  FaultyDisk disk;
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d);
  disk.fill();
  CHECK_FALSE(d.append({record("owls", 1, "x")}).ok());
  CHECK(d.store().health() != "");
  disk.make_room();
  CHECK(eventually([&] { return d.store().health().empty(); }));
}

TEST_CASE("a data file at its largest size answers as a full disk and keeps what it has") {
  TemporaryFolder folder;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane(scheduler);
  auto database = must(sqlite::Database::open({.dir = folder.path(),
                                               .clock = scheduler.clock(),
                                               .retain_every = kForever,
                                               .max_file_bytes = 2 << 20}));
  must(database->ensure_topics(
      std::vector<ports::TopicSettings>{{.name = "owls", .partitions = 1}}));
  bool full = false;
  Offset written = 0;
  for (unsigned i = 0; i < 100 && !full; ++i) {
    Answer<Result<std::vector<Result<Offset>>>> answer;
    database->append({record("owls", 0, noise(100'000, i))}, lane, answer.taker());
    REQUIRE(scheduler.wait_until([&] { return answer.arrived(); }));
    full = !answer->ok();
    if (!full) ++written;
    if (full) CHECK(answer->error().code == Error::Code::exhausted);
  }
  CHECK(full);
  CHECK(written > 3);
  Answer<Result<ports::Log::Range>> range;
  database->range("owls", 0, lane, range.taker());
  REQUIRE(scheduler.wait_until([&] { return range.arrived(); }));
  CHECK(must(*range).end == written);
}

TEST_CASE("a commit whose sync failed has an unknown outcome, and a claim tells") {
  FaultyDisk disk;
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d);
  auto image = d.claim(kShard);
  FaultyDisk::failing_syncs = 1;
  CHECK(d.commit(with_state(image, "one")).status == Status::unknown);
  image = d.claim(kShard);
  const bool written = d.state(kShard, "harry").has_value();
  CHECK(image.commit_no == (written ? 1 : 0));
  CHECK(contract::range(d, "owls", 0).end == (written ? 1 : 0));
  CHECK(d.commit(with_state(image, "two")).status == Status::committed);
  d.reopen();
  CHECK(d.state(kShard, "harry") == "two");
}

TEST_CASE("an append whose sync failed is answered as unknown") {
  FaultyDisk disk;
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d);
  FaultyDisk::failing_syncs = 1;
  const auto appended = d.append({record("owls", 0, "x")});
  REQUIRE_FALSE(appended.ok());
  CHECK(appended.error().code == Error::Code::timeout);
}

/// Changes the stored batches of the log behind the adapter's back.
void damage(const TemporaryFolder& folder, const char* statement) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(folder.file().c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, statement, nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(sqlite3_changes(db) == 1);
  sqlite3_close(db);
}

TEST_CASE("a damaged batch is an error that names its place, never skipped") {
  const char* statement = GENERATE(
      "update host_log_batch set data = substr(data, 1, 10) where base = 2",
      "update host_log_batch set data = cast(replace(data, 'c', 'd') as blob) where base = 2",
      "update host_log_batch set data = (select data from host_log_batch where base = 1)"
      " where base = 2",
      "delete from host_log_batch where base = 2");
  CAPTURE(statement);
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d);
  for (const char* payload : {"aaaa", "bbbb", "cccc", "dddd"}) {
    must(must(d.append({record("owls", 0, payload)})).at(0));
  }
  d.close();
  damage(folder, statement);
  d.open();
  const ports::Fetched before = must(d.fetch("owls", 0, 0));
  REQUIRE(before.records.size() == 2);
  CHECK(before.next == 2);
  const auto at = d.fetch("owls", 0, 2);
  REQUIRE_FALSE(at.ok());
  CHECK(at.error().code == Error::Code::corrupt);
  CHECK_THAT(at.error().message, Catch::Contains("topic owls") && Catch::Contains("partition 0") &&
                                     Catch::Contains("offset 2"));
  CHECK(must(d.fetch("owls", 0, 3)).records.at(0).payload == "dddd");
}

TEST_CASE("headers of a pending message that are damaged are an error, not a message without") {
  TemporaryFolder folder;
  Deployment d(folder.path(), true, {.tail_bytes = 0});  // each commit carries over those before
  auto image = d.claim(kShard);
  ShardCommit commit = next_commit(kShard, image);
  ports::PendingRow row{.id = 1, .message = {}};
  row.message.headers = {{"host-id", "x"}};
  commit.pending_put = {row};
  REQUIRE(d.commit(std::move(commit)).status == Status::committed);
  ++image.commit_no;
  REQUIRE(d.commit(next_commit(kShard, image)).status == Status::committed);
  d.close();
  damage(folder, "update host_pending set headers = x'ff'");
  d.open();
  Answer<Result<std::vector<ports::PendingRow>>> answer;
  d.store().load_pending(kShard, {1}, d.executor(), answer.taker());
  REQUIRE_FALSE(await(d, answer).ok());
  CHECK(answer->error().code == Error::Code::corrupt);
}

}  // namespace
}  // namespace host::sqlite_tests
