// Answers that may be long, on the embedded adapter.
#include <sqlite3.h>

#include "host/adapters/sql/row_spool.h"
#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

using Cursor = std::unique_ptr<ports::RowCursor>;

Cursor opened(Result<Cursor> found) {
  INFO((found ? "" : found.error().to_string()));
  REQUIRE(found.ok());
  return std::move(*found);
}

struct Long {
  explicit Long(bool threads = true) : d(folder.path(), threads) {
    must(d.store().open_deployment(4));
    must(d.store().migrate("a", {"create table a_t (id bigint primary key, x text, y double "
                                 "precision)"}));
    image = d.claim(shard);
  }
  void insert(int from, int to, std::size_t size) {
    ShardCommit commit = next_commit(shard, image);
    commit.units = {{"m",
                     {{"with recursive n(i) as (select :from union all select i + 1 from n "
                       "where i < :to) insert into a_t (id, x, y) select i, "
                       "hex(zeroblob(:size)), i + 0.5 from n",
                       {{"from", std::int64_t{from}},
                        {"to", std::int64_t{to}},
                        {"size", static_cast<std::int64_t>(size / 2)}}}}}};
    REQUIRE(d.commit(std::move(commit)).status == ports::CommitResult::Status::committed);
    ++image.commit_no;
  }
  Result<Cursor> rows(const std::string& text, SqlParameters parameters = {}) {
    std::optional<Result<Cursor>> found;
    d.store().rows("a", {text, std::move(parameters)}, d.executor(),
                   [&](Result<Cursor> answer) { found.emplace(std::move(answer)); });
    REQUIRE(d.pump([&] { return found.has_value(); }));
    return std::move(*found);
  }
  Result<ports::RowsPage> next(const Cursor& cursor, std::size_t bytes) {
    Answer<Result<ports::RowsPage>> answer;
    cursor->next(bytes, answer.taker());
    return await(d, answer);
  }

  TemporaryFolder folder;
  Deployment d;
  ShardRef shard{"a", 0};
  ports::ShardImage image;
};

TEST_CASE("rows come page by page, all of them, in order and exact") {
  Long f(GENERATE(true, false));
  f.insert(1, 5000, 200);  // 1 MB: more than is kept in memory
  const Cursor cursor = opened(f.rows("select id, x, y, null as empty from a_t order by id"));
  std::int64_t expected = 0;
  int pages = 0;
  for (bool last = false; !last; ++pages) {
    const ports::RowsPage page = must(f.next(cursor, 10'000));
    last = page.last;
    CHECK(page.rows.columns == std::vector<std::string>{"id", "x", "y", "empty"});
    for (const auto& row : page.rows.rows) {
      ++expected;
      REQUIRE(row[0] == SqlValue(expected));
      REQUIRE(std::get<std::string>(row[1]).size() == 200);
      REQUIRE(row[2] == SqlValue(static_cast<double>(expected) + 0.5));
      REQUIRE(row[3] == SqlValue());
    }
  }
  CHECK(expected == 5000);
  CHECK(pages > 50);
}

TEST_CASE("an answer without rows is one empty page") {
  Long f;
  const Cursor cursor = opened(f.rows("select id from a_t"));
  const ports::RowsPage page = must(f.next(cursor, 1000));
  CHECK(page.last);
  CHECK(page.rows.rows.empty());
}

TEST_CASE("rows are as they were when they were asked for, and hold no transaction open") {
  Long f;
  f.insert(1, 3000, 200);
  const Cursor cursor = opened(f.rows("select id from a_t order by id"));
  must(f.next(cursor, 100));
  f.insert(3001, 4000, 200);
  std::size_t count = 0;
  for (bool last = false; !last;) {
    const ports::RowsPage page = must(f.next(cursor, 10'000));
    count += page.rows.rows.size();
    last = page.last;
  }
  CHECK(count > 2900);
  CHECK(count < 3000);
  // A reader that stayed in its transaction would keep the log from being reset.
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((f.folder.path() / "host.db").c_str(), &db) == SQLITE_OK);
  int left = -1, moved = -1;
  const Cursor open = opened(f.rows("select id, x from a_t"));
  CHECK(sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_TRUNCATE, &left, &moved) ==
        SQLITE_OK);
  sqlite3_close(db);
}

TEST_CASE("the file of a long answer has no name, and is gone with its cursor") {
  Long f;
  f.insert(1, 5000, 200);
  const auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(f.folder.path()), {});
  };
  const auto before = files();
  Cursor cursor = opened(f.rows("select id, x from a_t"));
  CHECK(files() == before);
  cursor.reset();
  CHECK(files() == before);
}

TEST_CASE("a page that is under way when its cursor goes is not told") {
  Long f;
  f.insert(1, 10, 10);
  Cursor cursor = opened(f.rows("select id from a_t"));
  bool told = false;
  cursor->next(100, [&](auto) { told = true; });
  cursor.reset();
  must(f.d.query("a", {"select 1", {}}));  // behind it on the same thread
  CHECK_FALSE(told);
}

TEST_CASE("what is no query is refused, with its place") {
  Long f;
  CHECK(f.rows("select nope from a_t").error().code == Error::Code::invalid);
  CHECK(f.rows("delete from a_t").error().message.find("only reads") != std::string::npos);
  CHECK(f.rows("select * from host_state").error().code == Error::Code::invalid);
}

TEST_CASE("spools share 1 GB, and one alone may not have more") {
  sql::RowSpool::Total total{sql::RowSpool::kMost - 1000};
  TemporaryFolder folder;
  sql::RowSpool spool(folder.path(), total);
  spool.columns({"x"});
  must(spool.add({std::string(500, 'x')}));
  const Error full = spool.add({std::string(500, 'x')}).error();
  CHECK(full.code == Error::Code::exhausted);
  CHECK(full.retryable);
}

TEST_CASE("a spool gives its share back") {
  sql::RowSpool::Total total{0};
  TemporaryFolder folder;
  {
    sql::RowSpool spool(folder.path(), total);
    spool.columns({"x"});
    must(spool.add({std::string(500, 'x')}));
    CHECK(total > 500);
  }
  CHECK(total == 0);
}

}  // namespace
}  // namespace host::sqlite_tests
