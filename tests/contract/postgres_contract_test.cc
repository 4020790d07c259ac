// The contract suite of the store on a real server; tests/servers/with postgres starts one.
#include "host/adapters/postgres/postgres_store.h"
#include "tests/contract/contract_support.h"
#include "tests/fakes/fake_log.h"
#include "tests/integration/postgres/sql_support.h"

namespace host::contract {
namespace {

/// The clock that the store was given, and the one that its database goes by.
class BothClocks {
 public:
  BothClocks(fakes::ManualClock& clock, const std::string& database)
      : clock_(clock), database_(database) {}
  Time now() const { return clock_.now(); }
  void advance(Duration d) {
    clock_.advance(d);
    turned_ += std::chrono::duration_cast<std::chrono::milliseconds>(d);
    postgres_tests::connect(database_)->execute(
        "create or replace function host.clock_ms() returns bigint language sql volatile as"
        " 'select (extract(epoch from clock_timestamp()) * 1000)::bigint + (" +
        std::to_string(turned_.count()) + ")'");
  }

 private:
  fakes::ManualClock& clock_;
  const std::string database_;
  std::chrono::milliseconds turned_{};
};

struct PostgresFixture {
  explicit PostgresFixture(journal::Bounds with_bounds = {})
      : bounds(with_bounds),
        fake_log(scheduler.clock(), {}, 5),
        lane(scheduler),
        clocks(scheduler.clock(), database.name()) {
    open();
  }

  void open() {
    postgres::Options options{
        .url = url.empty() ? database.url() : url, .login = login, .clock = scheduler.clock()};
    options.retain_every = kForever;
    options.bounds = bounds;
    database_store = must(postgres::PostgresStore::make(options));
  }

  ports::Log& log() { return fake_log; }
  ports::Store& store() { return *database_store; }
  Executor& executor() { return lane; }
  BothClocks& clock() { return clocks; }
  bool pump(const std::function<bool()>& until) { return scheduler.wait_until(until); }
  void reopen() {
    database_store.reset();
    open();
  }
  void stop() { database_store->stop(); }
  bool shares_store() { return false; }

  const journal::Bounds bounds;
  postgres_tests::TestDatabase database;
  std::string url;  // empty: as the superuser
  postgres::LoginSource login;
  fakes::Scheduler scheduler;
  fakes::FakeLog fake_log;
  fakes::ManualExecutor lane;
  BothClocks clocks;
  std::unique_ptr<postgres::PostgresStore> database_store;
};

struct Journaled : PostgresFixture {
  Journaled() : PostgresFixture() {}
};

/// Each commit carries over to the tables what those before it left in the journal.
struct Checkpointed : PostgresFixture {
  Checkpointed() : PostgresFixture({.tail_bytes = 0}) {}
};

/// As `host db init` leaves a database: each plugin commits and queries as a role of its own.
struct Walled : PostgresFixture {
  Walled() : PostgresFixture() {
    roles.host = "h_" + database.name();
    roles.plugins = {"owls", "toads"};
    roles.password = [](const std::string& role) { return std::optional("secret of " + role); };
    must(postgres::init_roles(*database.connect_here(), roles));
    url = must(postgres::Conninfo::parse(database.url()))
              .with("user", roles.host)
              .with("password", "secret of " + roles.host)
              .text();
    login = [this](const std::string& plugin) -> Result<std::optional<postgres::Login>> {
      if (plugin != "owls" && plugin != "toads") return std::optional<postgres::Login>();
      const std::string role = postgres::role_of(roles.host, plugin);
      return std::optional(postgres::Login{role, "secret of " + role});
    };
    reopen();
  }
  ~Walled() {
    database_store.reset();
    postgres_tests::drop_roles(database, roles);
  }
  postgres::Roles roles;
};

}  // namespace
using StoreFixtures = std::tuple<Walled, Checkpointed>;
using SqlFixtures = std::tuple<Journaled, Walled>;
}  // namespace host::contract

#include "tests/contract/store_contract.h"
#include "tests/contract/store_sql_contract.h"
