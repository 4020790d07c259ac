// Members on a real server: what the contract leaves to them.
#include <map>

#include "host/adapters/postgres/postgres_members.h"
#include "host/adapters/postgres/postgres_store.h"
#include "host/adapters/postgres/schema.h"
#include "tests/fakes/manual_executor.h"
#include "tests/integration/postgres/sql_support.h"

namespace host::postgres {
namespace {

using postgres_tests::must;
using postgres_tests::TestDatabase;

struct World {
  World() : lane(scheduler) { must(open_common_schema(*database.connect_here())); }
  ~World() {
    if (roles) postgres_tests::drop_roles(database, *roles);
  }

  std::unique_ptr<PostgresMembers> make() {
    return must(PostgresMembers::make({.url = url, .login = login}));
  }
  /// As `host db init` leaves a database: the plugin owls commits as a role of its own.
  void make_roles() {
    roles.emplace(Roles{
        .host = "h_" + database.name(), .plugins = {"owls"}, .password = [](const std::string&) {
          return std::optional<std::string>("secret");
        }});
    must(init_roles(*database.connect_here(), *roles));
    url = as(roles->host).text();
    login = [this](const std::string& plugin) -> Result<std::optional<Login>> {
      return std::optional(Login{role_of(roles->host, plugin), "secret"});
    };
  }
  Conninfo as(const std::string& role) const {
    return must(Conninfo::parse(database.url())).with("user", role).with("password", "secret");
  }
  /// What an asynchronous call answers.
  template <class T>
  Result<T> wait(const std::function<void(UniqueFunction<void(Result<T>)>)>& call) {
    std::optional<Result<T>> answer;
    call([&](Result<T> result) { answer = std::move(result); });
    REQUIRE(scheduler.wait_until([&] { return answer.has_value(); }));
    return std::move(*answer);
  }
  /// Asks again and again, each time with an answer.
  bool soon(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
  void join(ports::Members& members, const std::string& id) {
    must(wait<void>([&](auto done) { members.join({.id = id}, lane, std::move(done)); }));
  }
  void take(ports::Members& members, const std::string& id, ports::Lease seen) {
    const auto got = must(wait<std::vector<ports::Lease>>(
        [&](auto done) { members.take(id, {seen}, lane, std::move(done)); }));
    REQUIRE(got.size() == 1);
  }
  ports::MembersView look(ports::Members& members) {
    return must(wait<ports::MembersView>([&](auto done) { members.look(lane, std::move(done)); }));
  }

  TestDatabase database;
  std::string url = database.url();
  LoginSource login;  // null: one role for all
  std::optional<Roles> roles;
  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane;
};

}  // namespace

TEST_CASE("a member hears when another one joins, releases or leaves", "[members]") {
  World w;
  const auto members = w.make(), other = w.make();
  int hints = 0;
  members->on_change(w.lane, [&] { ++hints; });
  const auto heard = [&](const std::function<void()>& what) {
    const int before = hints;
    what();
    return w.scheduler.wait_until([&] { return hints > before; });
  };
  // Listening begins at some time: what was notified of before is not heard.
  int joined = 0;
  REQUIRE(w.soon([&] {
    if (hints == 0) w.join(*other, "early-" + std::to_string(++joined));
    return hints > 0;
  }));
  CHECK(heard([&] { w.join(*other, "a"); }));
  CHECK(heard([&] { other->release("a", {{"p", 0}}, w.lane, [](const Result<void>&) {}); }));
  CHECK(heard([&] { other->beat("a", true, w.lane, [](const Result<void>&) {}); }));
  CHECK(heard([&] { other->leave("a", w.lane, [](const Result<void>&) {}); }));
}

TEST_CASE("a database that is away is told so, and tried again", "[members]") {
  World w;
  const auto members = w.make();
  w.join(*members, "a");
  postgres_tests::connect("postgres")
      ->session()
      .run("select pg_terminate_backend(pid) from pg_stat_activity where datname = '" +
           w.database.name() + "'");
  REQUIRE(w.soon([&] {
    return w.wait<void>([&](auto done) { members->beat("a", false, w.lane, std::move(done)); })
        .ok();
  }));
  members->stop();
  members->stop();
  const auto after =
      w.wait<ports::MembersView>([&](auto done) { members->look(w.lane, std::move(done)); });
  REQUIRE(after.error().code == Error::Code::unavailable);
}

// A host that had connected anew just before it was stopped kept its shard from all others. And
// where plugins have roles of their own, PostgreSQL refused to end it as the host's role.
TEST_CASE("who may claim a shard ends the transaction in which a dead member locked its row",
          "[members]") {
  World w;
  const ShardRef shard{"owls", 1};
  auto zombie_connection = w.database.connect_here();
  SECTION("one role for all") {}
  SECTION("a role for each plugin") {
    w.make_roles();
    zombie_connection = std::make_unique<Connection>(w.as(w.roles->host + "_owls"), Limits{});
  }
  const auto zombie = w.make();
  const auto members = w.make();
  Options options{.url = w.url, .login = w.login, .clock = w.scheduler.clock()};
  options.limits.claim_lock = std::chrono::milliseconds(200);
  options.claim_blocked = [&](const ShardRef& blocked) {
    members->end_transaction_of_former_owner(blocked);
  };
  const auto store = must(PostgresStore::make(options));
  must(store->open_deployment(2));
  const auto claim = [&] {
    return w.wait<ports::ShardImage>(
        [&](auto done) { store->claim(shard, w.lane, std::move(done)); });
  };
  w.join(*zombie, "z");
  w.take(*zombie, "z", {shard, "", 0});
  must(claim());
  // In the middle of a commit it is stopped.
  zombie_connection->run_once("set idle_in_transaction_session_timeout = 0");  // as in a pipeline
  zombie_connection->run_once("begin");
  zombie_connection->run_once("update plugin_owls.host_shard set epoch = epoch where number = 1");

  w.join(*members, "a");
  CHECK_FALSE(claim().ok());  // of a living member nothing is ended
  CHECK(w.look(*members).members.size() == 2);
  const ports::Member dead = w.look(*members).members.at(1);
  must(w.wait<void>([&](auto done) { members->bury(dead, w.lane, std::move(done)); }));
  if (GENERATE(false, true)) {  // somebody took it, could not claim it either, and gave it back
    const auto other = w.make();
    w.join(*other, "b");
    w.take(*other, "b", w.look(*members).leases.at(0));
    must(w.wait<void>([&](auto done) { other->release("b", {shard}, w.lane, std::move(done)); }));
  }
  w.take(*members, "a", w.look(*members).leases.at(0));
  CHECK_FALSE(claim().ok());
  REQUIRE(w.soon([&] { return claim().ok(); }));
  CHECK_THROWS_AS(zombie_connection->run_once("commit"), Failure);
}

}  // namespace host::postgres
