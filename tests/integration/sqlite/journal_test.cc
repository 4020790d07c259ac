// The journal and its checkpoint against the row form: whatever is only in the journal, in the
// tables, or in both, the store tells what a store of plain rows tells, also after the process was
// cut off at any of its writes.

#include <sqlite3.h>
#include <sys/wait.h>

#include "tests/integration/histories.h"
#include "tests/integration/sqlite/faulty_disk.h"
#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

using namespace histories;  // NOLINT: its vocabulary is this test's

TEST_CASE("a journaled shard tells what plain rows tell, in random histories") {
  unsigned seed = 1;
  for (const journal::Bounds& bounds : kAllBounds) {
    CAPTURE(bounds.tail_bytes, bounds.share_percent);
    for (int i = 0; i < 6; ++i) {
      TemporaryFolder folder;
      Deployment journaled(folder.path(), false, bounds);
      same_history(seed++, journaled, 60, [](auto&, const ShardRef&) {});
    }
  }
}

/// Commits the whole script; writes a byte a commit that was answered.
void play(const std::filesystem::path& dir, const std::vector<ShardCommit>& commits,
          const std::function<void()>& answered) {
  Deployment d(dir, false,
               {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 80, .piece = 1});
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  for (std::size_t i = static_cast<std::size_t>(owner.image.commit_no); i < commits.size(); ++i) {
    owner.commit_to(d, commits[i]);
    answered();
    if (i % 5 != 4) continue;
    d.reopen();
    owner.claim_in(d);
  }
}

/// How many commits were answered before the process ended itself at its `cut`th write.
int answered_before(const std::filesystem::path& dir, const std::vector<ShardCommit>& commits,
                    int cut, bool& cut_off) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(pipe[0]);
    FaultyDisk disk;
    FaultyDisk::writes_to_live = cut;
    play(dir, commits, [&] {
      if (::write(pipe[1], "x", 1) != 1) ::_exit(4);
    });
    ::_exit(0);
  }
  ::close(pipe[1]);
  int answered = 0;
  for (char byte = 0; ::read(pipe[0], &byte, 1) == 1;) ++answered;
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  cut_off = WEXITSTATUS(status) == FaultyDisk::kCutOff;
  if (!cut_off) CHECK(WEXITSTATUS(status) == 0);
  return answered;
}

TEST_CASE("a process cut off at any of its writes left each commit whole or not at all") {
  Rows rows;
  Script script(99);
  std::vector<ShardCommit> commits;
  std::vector<std::string> images, reads;  // after so many commits
  Owner owner{kShards[0], {}};
  for (int i = 0; i <= 14; ++i) {
    owner.claim_in(rows);
    images.push_back(tale_of(owner.image));
    reads.push_back(tale_of_reads(rows, kShards[0]));
    commits.push_back(script.commit(kShards[0], rows.clock().now()));
    owner.commit_to(rows, commits.back());
  }
  commits.pop_back();
  bool cut_off = true;
  int cuts = 0;
  for (int cut = 1; cut_off; ++cut) {
    TemporaryFolder folder;
    const int answered = answered_before(folder.path(), commits, cut, cut_off);
    CAPTURE(cut, answered);
    {
      Deployment d(folder.path(), false);
      Owner heir{kShards[0], {}};
      heir.claim_in(d);
      const auto committed = heir.image.commit_no;
      REQUIRE((committed == answered || committed == answered + 1));
      REQUIRE(tale_of(heir.image) == images[static_cast<std::size_t>(committed)]);
      REQUIRE(tale_of_reads(d, kShards[0]) == reads[static_cast<std::size_t>(committed)]);
    }
    play(folder.path(), commits, [] {});
    Deployment d(folder.path(), false);
    REQUIRE(tale_of(claim(d, kShards[0])) == images.back());
    REQUIRE(tale_of_reads(d, kShards[0]) == reads.back());
    ++cuts;
  }
  CHECK(cuts > 100);
}

std::int64_t count_of(const std::filesystem::path& file, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK);
  const std::int64_t count =
      sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return count;
}

ShardCommit put(const std::string& key, const std::string& value) {
  ShardCommit c;
  c.shard = kShards[0];
  c.states = {{key, {value, 1, {}}}};
  return c;
}

TEST_CASE("what lives shorter than the bounds never touches its table") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path(), false, {.share_percent = 0});
    Owner owner{kShards[0], {}};
    owner.claim_in(d);
    for (int i = 0; i < 50; ++i) owner.commit_to(d, put("hot", std::to_string(i)));
    CHECK(d.state(kShards[0], "hot") == "49");
  }
  CHECK(count_of(folder.file(), "select count(*) from host_state") == 0);
  CHECK(count_of(folder.file(), "select count(*) from host_journal") > 0);
}

TEST_CASE("tables follow in pieces, so that most small commits write to none of them") {
  TemporaryFolder folder;
  Deployment d(folder.path(), false, {.share_percent = 50, .piece = 10});
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  std::vector<std::int64_t> rows;
  for (int i = 0; i < 40; ++i) {
    owner.commit_to(d, put("k" + std::to_string(i), "v"));
    rows.push_back(count_of(folder.file(), "select count(*) from host_state"));
  }
  CHECK(rows[17] == 0);
  CHECK(rows[18] == 10);  // half of 19, and one begun
  CHECK(rows[35] == 10);
  CHECK(rows[36] == 20);
}

TEST_CASE("tables of a shard that went idle are brought up to date, and its journal is gone") {
  TemporaryFolder folder;
  Deployment d(folder.path(), true);
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  for (int i = 0; i < 30; ++i) owner.commit_to(d, put("k" + std::to_string(i), "v"));
  d.clock().advance(std::chrono::seconds(11));
  const auto rows = [&](const char* sql) { return count_of(folder.file(), sql); };
  CHECK(eventually([&] { return rows("select count(*) from host_journal") == 0; }));
  CHECK(rows("select count(*) from host_state") == 30);
  owner.commit_to(d, put("k1", "w"));
  CHECK(d.state(kShards[0], "k1") == "w");
  CHECK(d.state(kShards[0], "k2") == "v");
}

TEST_CASE("the journal does not grow from one short life to the next") {
  TemporaryFolder folder;
  std::int64_t after_ten = 0;
  for (int life = 1; life <= 60; ++life) {
    {
      Deployment d(folder.path(), false);
      Owner owner{kShards[0], {}};
      owner.claim_in(d);
      for (int i = 0; i < 5; ++i) {
        owner.commit_to(d, put("k" + std::to_string(life * 5 + i), "v"));
      }
    }
    const auto rows = count_of(folder.file(), "select count(*) from host_journal");
    if (life == 10) after_ten = rows;
    if (life > 10) REQUIRE(rows <= 2 * after_ten);
  }
}

TEST_CASE("a damaged journal record stops its shard by name, and no other") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path(), false, {.share_percent = 0});
    for (const ShardRef& shard : kShards) {
      Owner owner{shard, {}};
      owner.claim_in(d);
      ShardCommit c = put("k", "v");
      c.shard = shard;
      owner.commit_to(d, c);
    }
  }
  count_of(folder.file(),
           "update host_journal set data = zeroblob(length(data)) where id = (select min(id) from"
           " host_journal) returning 1");
  Deployment d(folder.path(), false);
  Answer<Result<ports::ShardImage>> answer;
  d.store().claim(kShards[0], d.executor(), answer.taker());
  const auto& refused = await(d, answer);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Error::Code::corrupt);
  CHECK(refused.error().message.find("shard owls/0, commit 1") != std::string::npos);
  Answer<Result<ports::StateRow>> read;
  d.store().read_state(kShards[0], "k", d.executor(), read.taker());
  CHECK_FALSE(await(d, read).ok());
  CHECK(d.state(kShards[1], "k") == "v");
  CHECK(claim(d, kShards[1]).commit_no == 1);
}

TEST_CASE("a data folder of the row form is taken over as it is") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path(), false, {.tail_bytes = 0});  // every value ends as a row
    Owner owner{kShards[0], {}};
    owner.claim_in(d);
    owner.commit_to(d, put("old", "row"));
    owner.commit_to(d, put("last", "row"));
    ShardCommit empty = put("last", "");
    empty.states.clear();
    owner.commit_to(d, empty);
  }
  REQUIRE(count_of(folder.file(), "select count(*) from host_journal") == 0);
  count_of(folder.file(), "drop table host_journal");
  for (const char* sql : {"drop table host_answer", "drop table host_reply",
                          "create table host_reply (ask_id text primary key, payload blob not null,"
                          " created integer not null) without rowid",
                          "pragma user_version = 1"}) {
    count_of(folder.file(), sql);
  }
  Deployment d(folder.path(), false);
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  CHECK(owner.image.commit_no == 3);
  owner.commit_to(d, put("new", "journaled"));
  CHECK(d.state(kShards[0], "old") == "row");
  CHECK(d.state(kShards[0], "new") == "journaled");
}

}  // namespace
}  // namespace host::sqlite_tests
