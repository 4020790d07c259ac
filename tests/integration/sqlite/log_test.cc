// The log of the embedded adapter: group commit into batches, retention, what is kept on disk.

#include <sqlite3.h>

#include "host/adapters/journal/crc32c.h"
#include "host/adapters/sqlite/record_batch.h"
#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

using std::chrono::hours;

void make_topic(Deployment& d, Duration keep, std::uint64_t max_bytes = 0) {
  must(d.log().ensure_topics(std::vector<ports::TopicSettings>{
      {.name = "owls", .partitions = 2, .keep = keep, .max_bytes = max_bytes}}));
}

std::int64_t number(const TemporaryFolder& folder, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(folder.file().c_str(), &db) == SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
  const std::int64_t value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

void read_up_to(Deployment& d, const ShardRef& shard, Offset next) {
  const auto image = d.claim(shard);
  ShardCommit commit = next_commit(shard, image);
  commit.next_offsets = {{"owls", next}};
  REQUIRE(d.commit(std::move(commit)).status == Status::committed);
}

Record sample(Offset offset, std::optional<std::string> key, std::string payload) {
  return {.topic = "owls",
          .partition = 1,
          .offset = offset,
          .time = from_micros(1'700'000'000'000'000 + offset),
          .key = std::move(key),
          .payload = std::move(payload),
          .headers = {{"host-id", "a/1/2-3"}, {"", ""}}};
}

TEST_CASE("the checksum is CRC-32C") {
  CHECK(journal::crc32c("123456789") == 0xE3069283U);
  CHECK(journal::crc32c("") == 0);
  CHECK(journal::crc32c(std::string(32, '\0')) == 0x8A9136AAU);
}

TEST_CASE("a batch survives its encoding, and no changed bit of it does") {
  const std::vector<Record> records{sample(7, "k", std::string(500, 'a')),
                                    sample(8, std::nullopt, contract::binary(300)),
                                    sample(9, "", "")};
  const std::string bytes = sqlite::encode_batch(records.data(), records.size());
  const std::vector<Record> got = must(sqlite::decode_batch(bytes, "owls", 1, 7));
  REQUIRE(got.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(got[i].offset == records[i].offset);
    CHECK(got[i].time == records[i].time);
    CHECK(got[i].key == records[i].key);
    CHECK(got[i].payload == records[i].payload);
    CHECK(got[i].headers == records[i].headers);
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const auto decoded = sqlite::decode_batch(changed, "owls", 1, 7);
    REQUIRE_FALSE(decoded.ok());
    REQUIRE(decoded.error().code == Error::Code::corrupt);
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    REQUIRE_FALSE(sqlite::decode_batch(bytes.substr(0, size), "owls", 1, 7).ok());
  }
  CHECK_FALSE(sqlite::decode_batch(bytes, "owls", 1, 8).ok());
}

TEST_CASE("many small appends at once become few batches") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever);
  std::vector<Answer<Result<std::vector<Result<Offset>>>>> answers(3000);
  for (auto& answer : answers) {
    d.log().append({record("owls", 0, "m")}, d.executor(), answer.taker());
  }
  Offset next = 0;
  for (auto& answer : answers) CHECK(must(must(await(d, answer)).at(0)) == next++);
  d.close();
  CHECK(number(folder, "select sum(records) from host_log_batch") == 3000);
  CHECK(number(folder, "select count(*) from host_log_batch") < 1500);
}

TEST_CASE("what one commit sends is one batch a partition, and large ones are cut") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever);
  std::vector<ports::Append> records;
  for (int i = 0; i < 25; ++i) records.push_back(record("owls", 0, std::string(900'000, 'x')));
  for (int i = 0; i < 25; ++i) records.push_back(record("owls", 1, "small"));
  for (const auto& offset : must(d.append(std::move(records)))) must(offset);
  d.close();
  CHECK(number(folder, "select count(*) from host_log_batch where partition = 0") == 3);
  CHECK(number(folder, "select count(*) from host_log_batch where partition = 1") == 1);
  d.open();
  CHECK(contract::read_all(d, "owls", 0).size() == 25);
}

TEST_CASE("a record that no batch can hold is refused for good") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever);
  const auto answer = must(d.append({record("owls", 0, std::string(9 << 20, 'x'))}));
  REQUIRE_FALSE(answer.at(0).ok());
  CHECK(answer.at(0).error().code == Error::Code::invalid);
}

TEST_CASE("retention by age drops what nobody needs") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, hours(2));
  for (int i = 0; i < 100; ++i) {
    must(d.append({record("owls", 0, std::to_string(i))}));
    d.clock().advance(std::chrono::minutes(3));  // the whole takes five hours
  }
  must(d.log().retain_once());
  const auto range = contract::range(d, "owls", 0);
  CHECK(range.start == 60);
  CHECK(range.end == 100);
  const auto gone = d.fetch("owls", 0, 59);
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code == Error::Code::exhausted);
  CHECK_THAT(gone.error().hint, Catch::Contains("60"));
  CHECK(must(d.fetch("owls", 0, 60)).records.at(0).payload == "60");
  d.reopen();
  CHECK(contract::range(d, "owls", 0).start == 60);
  CHECK(must(d.fetch("owls", 0, 60)).records.size() == 40);
  d.clock().advance(hours(100));
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 100);
  CHECK(must(must(d.append({record("owls", 0, "on")})).at(0)) == 100);  // offsets go on
}

// Without its file's entry a topic that was kept for ever was cut to a week.
TEST_CASE("retention that nobody asks for changes no topic that is there") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever);
  must(d.append({record("owls", 0, "old")}));
  const ports::TopicSettings silent{
      .name = "owls", .partitions = 2, .keep = hours(1), .only_new = true};
  must(d.log().ensure_topics({&silent, 1}));
  d.clock().advance(hours(2));
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 0);
  d.reopen();
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 0);
}

TEST_CASE("retention by size keeps the newest") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever, 10'000);
  for (unsigned i = 0; i < 100; ++i) {
    must(d.append({record("owls", 1, noise(1000, i))}));
  }
  must(d.log().retain_once());
  const auto range = contract::range(d, "owls", 1);
  CHECK(range.end == 100);
  CHECK(range.start >= 85);
  CHECK(range.start < 100);
  d.close();
  CHECK(number(folder, "select sum(length(data)) from host_log_batch") <= 10'000);
  CHECK(number(folder, "select bytes from host_topic_partition where partition = 1") ==
        number(folder, "select sum(length(data)) from host_log_batch"));
}

TEST_CASE("retention comes at once: who is killed again and again would never come to it") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path());
    make_topic(d, kForever, 1'000);
    for (unsigned i = 0; i < 3; ++i) must(d.append({record("owls", 0, noise(900, i))}));
  }
  Deployment d(folder.path(), true, {}, hours(1));
  CHECK(eventually([&] { return contract::range(d, "owls", 0).start == 2; }));
}

TEST_CASE("a file from which much was dropped becomes small again") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, hours(1));
  for (unsigned i = 0; i < 10; ++i) must(d.append({record("owls", 0, noise(900'000, i))}));
  d.reopen();
  const auto large = std::filesystem::file_size(folder.file());
  CHECK(large > 9'000'000);
  d.clock().advance(hours(2));
  must(d.log().retain_once());
  d.close();
  CHECK(std::filesystem::file_size(folder.file()) < large / 2);
}

TEST_CASE("retention never passes what a plugin has not read") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, hours(1), 1);
  for (int i = 0; i < 50; ++i) {
    must(d.append({record("owls", 0, "m"), record("owls", 1, "m")}));
  }
  read_up_to(d, {"fast", 0}, 50);
  read_up_to(d, {"slow", 0}, 20);
  d.clock().advance(hours(5));
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 20);
  CHECK(contract::range(d, "owls", 1).start == 0);  // their shard 1 has read nothing yet
  read_up_to(d, {"fast", 1}, 50);
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 1).start == 0);
  read_up_to(d, {"slow", 1}, 7);
  read_up_to(d, {"slow", 0}, 50);
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 50);
  CHECK(contract::range(d, "owls", 1).start == 7);
}

TEST_CASE("a batch of which one record is unread stays whole") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, hours(1));
  must(d.append({record("owls", 0, "a"), record("owls", 0, "b"), record("owls", 0, "c")}));
  must(d.append({record("owls", 0, "d")}));
  read_up_to(d, {"p", 0}, 2);
  d.clock().advance(hours(2));
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 0);
  read_up_to(d, {"p", 0}, 3);
  must(d.log().retain_once());
  CHECK(contract::range(d, "owls", 0).start == 3);
}

TEST_CASE("replies, answers, seen ids and quiet keys go when their time is over") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  const ShardRef shard{"p", 0};
  const auto image = d.claim(shard);
  ShardCommit commit = next_commit(shard, image);
  const Time now = d.clock().now();
  for (int i = 0; i < 1200; ++i) {
    commit.replies.push_back({"ask" + std::to_string(i), "{}", now + hours(1)});
    commit.answers.push_back({.scope = "s" + std::to_string(i),
                              .request = {},
                              .response = {},
                              .whole = true,
                              .until = now + hours(2)});
    commit.once_seen.emplace_back(std::string("t\0", 2) + std::to_string(i), now + hours(2));
  }
  commit.states = {{"quiet", {std::nullopt, 1, now + hours(2)}}, {"loud", {"{}", 1, {}}}};
  REQUIRE(d.commit(std::move(commit)).status == Status::committed);
  const auto left = [&] {
    must(d.log().retain_once());
    d.close();
    std::vector<std::int64_t> counts;
    for (const char* table : {"host_reply", "host_answer", "host_once_seen", "host_state"}) {
      counts.push_back(number(folder, ("select count(*) from " + std::string(table)).c_str()));
    }
    d.open();
    return counts;
  };
  d.clock().advance(std::chrono::minutes(59));
  REQUIRE(eventually([&] { return number(folder, "select count(*) from host_journal") == 0; }));
  CHECK(left() == std::vector<std::int64_t>{1200, 1200, 1200, 2});
  d.clock().advance(std::chrono::minutes(2));
  CHECK(left() == std::vector<std::int64_t>{0, 1200, 1200, 2});
  d.clock().advance(hours(2));
  CHECK(left() == std::vector<std::int64_t>{0, 0, 0, 1});
}

TEST_CASE("the write-ahead log is carried over beside the commits") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever);
  for (unsigned i = 0; i < 10; ++i) must(d.append({record("owls", 0, noise(900'000, i))}));
  CHECK(eventually([&] { return std::filesystem::file_size(folder.file()) > 4 << 20; }));
}

TEST_CASE("a message to a topic that is not there becomes a dead letter of its sender") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  make_topic(d, kForever);
  const ShardRef shard{"p", 0};
  const auto image = d.claim(shard);
  ShardCommit commit = next_commit(shard, image);
  commit.outgoing.push_back({image.epoch, 1, record("owls", 0, "fine")});
  commit.outgoing.push_back({image.epoch, 2, record("wands", 0, "lost?")});
  commit.outgoing.back().record.headers = {{header::kId, "p/0/1-2"}};
  commit.seq = 2;
  REQUIRE(d.commit(std::move(commit)).status == Status::committed);
  Answer<Result<ports::DeadLetter>> answer;
  d.store().show_dead("p", "p/0/1-2", d.executor(), answer.taker());
  const ports::DeadLetter letter = must(await(d, answer));
  CHECK(letter.reason == "refused");
  CHECK(letter.message.payload == "lost?");
  CHECK(letter.message.topic == "wands");
  CHECK(contract::payloads(contract::read_all(d, "owls", 0)) == std::vector<std::string>{"fine"});
}

TEST_CASE("a page of large dead letters ends before its limit, and the next one goes on") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  const ShardRef shard{"p", 0};
  const auto image = d.claim(shard);
  ShardCommit commit = next_commit(shard, image);
  constexpr std::size_t kLetters = 20;
  for (std::size_t i = 0; i < kLetters; ++i) {
    ports::DeadLetter letter;
    letter.id = std::to_string(i);
    letter.plugin = "p";
    letter.message.id = letter.id;
    letter.message.payload = std::string(900'000, 'x');
    letter.at = from_micros(static_cast<std::int64_t>(i));
    commit.dead.push_back(std::move(letter));
  }
  REQUIRE(d.commit(std::move(commit)).status == Status::committed);
  std::vector<std::string> ids;
  std::vector<std::size_t> pages;
  for (std::optional<std::string> after = ""; after;) {
    Answer<Result<ports::DeadList>> answer;
    d.store().list_dead("p", *after, 1000, d.executor(), answer.taker());
    ports::DeadList page = must(await(d, answer));
    for (const ports::DeadLetter& letter : page.items) ids.push_back(letter.id);
    pages.push_back(page.items.size());
    after = page.next;
  }
  CHECK(pages == std::vector<std::size_t>{10, 10});
  REQUIRE(ids.size() == kLetters);
  CHECK(ids.front() == "19");
  CHECK(ids.back() == "0");
}

}  // namespace
}  // namespace host::sqlite_tests
