// What the embedded adapter says about files that it cannot or must not use.

#include <sqlite3.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

Result<std::unique_ptr<sqlite::Database>> try_open(const std::filesystem::path& dir) {
  static const fakes::ManualClock clock;
  return sqlite::Database::open({.dir = dir, .clock = clock, .admin = "127.0.0.1:8081"});
}

Error refused(const std::filesystem::path& dir) {
  auto opened = try_open(dir);
  REQUIRE_FALSE(opened.ok());
  CHECK_FALSE(opened.error().hint.empty());
  return opened.error();
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Every file of the folder but the lock.
std::map<std::string, std::string> contents(const std::filesystem::path& dir) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().filename() == "host.lock") continue;
    all[entry.path().filename()] = content(entry.path());
  }
  return all;
}

void write_at(const std::filesystem::path& file, std::size_t at, const std::string& bytes) {
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(at));
  out << bytes;
}

void sql(const std::filesystem::path& file, const char* text) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

/// A data folder with something in it, closed.
void fill(const std::filesystem::path& dir) {
  Deployment d(dir);
  must(d.store().open_deployment(4));
  must(d.log().ensure_topics(std::vector<ports::TopicSettings>{{.name = "owls", .partitions = 4}}));
  for (int i = 0; i < 50; ++i) must(d.append({record("owls", 0, contract::binary(5000))}));
}

struct Child {
  pid_t pid;
  int exit_code() const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }
};

/// Runs `work` in a child process; its result is the exit code.
template <class Work>
Child in_child(Work work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work());
  return {pid};
}

TEST_CASE("a second process is told who has the folder") {
  TemporaryFolder folder;
  int held[2], release[2];
  REQUIRE((::pipe(held) == 0 && ::pipe(release) == 0));
  const Child child = in_child([&] {
    char byte = 'x';
    auto opened = try_open(folder.path());
    const bool told = ::write(held[1], &byte, 1) == 1;
    const bool released = ::read(release[0], &byte, 1) == 1;
    return opened.ok() && told && released ? 0 : 1;
  });
  char byte = 0;
  REQUIRE(::read(held[0], &byte, 1) == 1);
  const Error error = refused(folder.path());
  CHECK(error.code == Error::Code::conflict);
  CHECK_THAT(error.message, Catch::Contains("pid " + std::to_string(child.pid)) &&
                                Catch::Contains("admin 127.0.0.1:8081"));
  CHECK(::write(release[1], &byte, 1) == 1);
  CHECK(child.exit_code() == 0);
  CHECK(try_open(folder.path()).ok());
  for (const int end : {held[0], held[1], release[0], release[1]}) ::close(end);
}

TEST_CASE("the same process cannot open a folder twice either") {
  TemporaryFolder folder;
  const auto first = try_open(folder.path());
  REQUIRE(first.ok());
  CHECK(refused(folder.path()).code == Error::Code::conflict);
}

TEST_CASE("a killed holder leaves the folder free") {
  TemporaryFolder folder;
  const Child child = in_child([&] {
    auto opened = try_open(folder.path());
    ::raise(SIGKILL);
    return 0;
  });
  CHECK(child.exit_code() == 128);
  CHECK(try_open(folder.path()).ok());
}

TEST_CASE("the admin address can be told later") {
  TemporaryFolder folder;
  const auto first = try_open(folder.path());
  REQUIRE(first.ok());
  (*first)->set_admin("127.0.0.1:9999");
  CHECK_THAT(refused(folder.path()).message, Catch::Contains("admin 127.0.0.1:9999"));
}

TEST_CASE("folders with odd names work") {
  TemporaryFolder folder;
  for (const char* name : {"with space", "it's", "a=b", "\xC3\xA9t\xC3\xA9"}) {
    INFO(name);
    CHECK(try_open(folder.path() / name).ok());
    CHECK(std::filesystem::exists(folder.path() / name / "host.db"));
  }
}

TEST_CASE("a file of a newer version is refused and not touched") {
  TemporaryFolder folder;
  fill(folder.path());
  sql(folder.file(), "pragma user_version = 99");
  const auto before = contents(folder.path());
  const Error error = refused(folder.path());
  CHECK(error.code == Error::Code::unsupported);
  CHECK_THAT(error.message, Catch::Contains("newer version") && Catch::Contains("99"));
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("another application's database is refused and not touched") {
  TemporaryFolder folder;
  sql(folder.file(), "create table recipes (id integer)");
  const auto before = contents(folder.path());
  const Error error = refused(folder.path());
  CHECK(error.code == Error::Code::invalid);
  CHECK_THAT(error.message, Catch::Contains("another application"));
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("a file that is no database is refused and not touched") {
  TemporaryFolder folder;
  std::ofstream(folder.file()) << std::string(10'000, 'z');
  const auto before = contents(folder.path());
  CHECK(refused(folder.path()).code == Error::Code::corrupt);
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("a file that is cut off is refused and not touched") {
  TemporaryFolder folder;
  fill(folder.path());
  std::filesystem::resize_file(folder.file(), std::filesystem::file_size(folder.file()) / 2);
  const auto before = contents(folder.path());
  const Error error = refused(folder.path());
  CHECK(error.code == Error::Code::corrupt);
  CHECK_THAT(error.message, Catch::Contains("malformed"));
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("a file with a page of garbage is refused and not touched") {
  TemporaryFolder folder;
  fill(folder.path());
  write_at(folder.file(), 4096, std::string(4096, '\x5a'));
  const auto before = contents(folder.path());
  CHECK(refused(folder.path()).code == Error::Code::corrupt);
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("an empty file becomes a database") {
  TemporaryFolder folder;
  std::ofstream(folder.file()).flush();
  CHECK(try_open(folder.path()).ok());
}

/// For root no file is read-only, so the attempt is made as nobody.
int open_as_nobody(const std::filesystem::path& dir) {
  if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return 2;
  const auto opened = try_open(dir);
  if (opened.ok()) return 3;
  if (opened.error().code != Error::Code::unavailable) return 4;
  return opened.error().hint.find("writable") != std::string::npos ? 0 : 5;
}

TEST_CASE("a folder that is read-only is refused with a hint") {
  TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  CHECK(in_child([&] { return open_as_nobody(folder.path()); }).exit_code() == 0);
  CHECK(std::filesystem::is_empty(folder.path()));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
}

TEST_CASE("a data file that is read-only is refused with a hint and not touched") {
  TemporaryFolder folder;
  fill(folder.path());
  const auto before = contents(folder.path());
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
  std::filesystem::permissions(folder.path() / "host.lock", std::filesystem::perms(0666));
  std::filesystem::permissions(folder.file(), std::filesystem::perms(0444));
  CHECK(in_child([&] { return open_as_nobody(folder.path()); }).exit_code() == 0);
  CHECK(contents(folder.path()) == before);
}

TEST_CASE("stopping twice, and while commits are under way, loses no answer") {
  TemporaryFolder folder;
  Deployment d(folder.path());
  must(d.log().ensure_topics(std::vector<ports::TopicSettings>{{.name = "owls", .partitions = 1}}));
  std::vector<Answer<Result<std::vector<Result<Offset>>>>> answers(200);
  for (auto& answer : answers) {
    d.log().append({record("owls", 0, "m")}, d.executor(), answer.taker());
  }
  d.log().stop();
  d.log().stop();
  for (auto& answer : answers) CHECK(await(d, answer).ok());  // asked before: still written
  d.reopen();
  CHECK(contract::range(d, "owls", 0).end == 200);
}

}  // namespace
}  // namespace host::sqlite_tests
