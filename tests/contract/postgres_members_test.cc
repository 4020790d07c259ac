// The contract suite of members and leases on a real server.

#include "host/adapters/postgres/postgres_members.h"

#include "host/adapters/postgres/schema.h"
#include "tests/contract/contract_support.h"
#include "tests/integration/postgres/support.h"

namespace host::contract {
namespace {

struct PostgresMembersFixture {
  PostgresMembersFixture() : lane(scheduler) {
    must(postgres::open_common_schema(*database.connect_here()));
    on_server = must(postgres::PostgresMembers::make({.url = database.url()}));
  }

  ports::Members& members() { return *on_server; }
  Executor& executor() { return lane; }
  bool pump(const std::function<bool()>& until) { return scheduler.wait_until(until); }
  void pass() {}  // the server's clock does

  postgres_tests::TestDatabase database;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
  std::unique_ptr<postgres::PostgresMembers> on_server;
};

}  // namespace
using MembersFixtures = std::tuple<PostgresMembersFixture>;
}  // namespace host::contract

#include "tests/contract/members_contract.h"
