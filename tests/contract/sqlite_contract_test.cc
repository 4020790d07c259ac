// The contract suites of log, store and plugin SQL on the embedded adapter: with threads and
// without.

#include <unistd.h>

#include <filesystem>

#include "host/adapters/sqlite/database.h"
#include "tests/contract/contract_support.h"

namespace host::contract {
namespace {

/// A folder under the system's temporary one that goes with the fixture.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "host-sqlite-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct SqliteFixture {
  explicit SqliteFixture(bool with_threads) : threads(with_threads), lane(scheduler) { open(); }

  void open() {
    sqlite::Options options{.dir = folder.path(), .clock = scheduler.clock(), .threads = threads};
    options.retain_every = kForever;
    database = must(sqlite::Database::open(options));
  }

  ports::Log& log() { return *database; }
  ports::Store& store() { return *database; }
  Executor& executor() { return lane; }
  fakes::ManualClock& clock() { return scheduler.clock(); }
  bool pump(const std::function<bool()>& until) { return scheduler.wait_until(until); }
  void reopen() {
    database.reset();
    open();
  }
  void stop() { database->stop(); }
  bool shares_store() { return database->shares_store(); }

  const bool threads;
  TemporaryFolder folder;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
  std::unique_ptr<sqlite::Database> database;
};

struct Threaded : SqliteFixture {
  Threaded() : SqliteFixture(true) {}
};
struct Inline : SqliteFixture {
  Inline() : SqliteFixture(false) {}
};

}  // namespace
using LogFixtures = std::tuple<Threaded, Inline>;
using StoreFixtures = std::tuple<Threaded, Inline>;
using SqlFixtures = std::tuple<Threaded, Inline>;
}  // namespace host::contract

#include "tests/contract/log_contract.h"
#include "tests/contract/store_contract.h"
#include "tests/contract/store_sql_contract.h"
