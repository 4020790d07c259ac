// The contract suites of log, store and plugin SQL on the embedded adapter: with threads and
// without.

#include "host/adapters/sqlite/database.h"
#include "tests/contract/contract_support.h"
#include "tests/integration/sqlite/support.h"

namespace host::contract {
namespace {

using sqlite_tests::TemporaryFolder;

struct SqliteFixture {
  explicit SqliteFixture(bool with_threads, journal::Bounds with_bounds = {})
      : threads(with_threads), bounds(with_bounds), lane(scheduler) {
    open();
  }

  void open() {
    sqlite::Options options{.dir = folder.path(), .clock = scheduler.clock(), .threads = threads};
    options.retain_every = kForever;
    options.bounds = bounds;
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
  const journal::Bounds bounds;
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

/// Each commit carries over to the tables what those before it left in the journal.
struct Checkpointed : SqliteFixture {
  Checkpointed() : SqliteFixture(false, {.tail_bytes = 0}) {}
};

}  // namespace
using LogFixtures = std::tuple<Threaded, Inline>;
using StoreFixtures = std::tuple<Threaded, Inline, Checkpointed>;
using SqlFixtures = std::tuple<Threaded, Inline>;
}  // namespace host::contract

#include "tests/contract/log_contract.h"
#include "tests/contract/store_contract.h"
#include "tests/contract/store_sql_contract.h"
