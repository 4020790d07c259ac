// Connections, statements and their values on a real server.
#include "host/adapters/postgres/connection.h"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "host/adapters/postgres/worker.h"
#include "tests/integration/postgres/support.h"

namespace host::postgres {
namespace {

using postgres_tests::connect;
using postgres_tests::must;
using postgres_tests::server;

Failure refused(const Conninfo& where) {
  try {
    const Connection made(where, Limits{});
  } catch (const Failure& failure) {
    return failure;
  }
  FAIL("a connection was made");
  return {"", ""};
}

TEST_CASE("values pass through binary parameters and rows, with every byte", "[postgres]") {
  const auto db = connect("postgres");
  std::string every(256, '\0');
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<char>(i);
  Params params;
  params.add(std::int64_t{-5'000'000'000});
  params.add(std::int32_t{-7});
  params.add(true);
  params.add(
      "Gr\xC3\xBC\xC3\x9F"
      "e \\x61 'q'");
  params.add(Bytes{every});
  params.add_null(kInt8);
  const Rows rows = db->run("", "select $1, $2, $3, $4, $5, $6", params);
  REQUIRE(rows.size() == 1);
  CHECK(rows.integer(0, 0) == -5'000'000'000);
  CHECK(rows.integer(0, 1) == -7);
  CHECK(rows.flag(0, 2));
  CHECK(rows.view(0, 3) ==
        "Gr\xC3\xBC\xC3\x9F"
        "e \\x61 'q'");
  CHECK(rows.view(0, 4) == every);
  CHECK(rows.is_null(0, 5));
}

TEST_CASE("arrays become rows, with absent elements, also none", "[postgres]") {
  const auto db = connect("postgres");
  Array texts(kText), numbers(kInt8), flags(kBool), small(kInt4);
  texts.add("a");
  texts.add_null();
  numbers.add(std::int64_t{-1});
  numbers.add(std::int64_t{1} << 40);
  flags.add(true);
  flags.add(false);
  small.add(std::int64_t{3});
  small.add(std::int64_t{-3});
  const char* sql = "select t, n, f, s from unnest($1, $2, $3, $4) as x(t, n, f, s)";
  const Rows rows = db->run(
      "", sql, Params(std::move(texts), std::move(numbers), std::move(flags), std::move(small)));
  REQUIRE(rows.size() == 2);
  CHECK(rows.view(0, 0) == "a");
  CHECK(rows.is_null(1, 0));
  CHECK(rows.integer(0, 1) == -1);
  CHECK(rows.integer(1, 1) == std::int64_t{1} << 40);
  CHECK(rows.flag(0, 2));
  CHECK_FALSE(rows.flag(1, 2));
  CHECK(rows.integer(1, 3) == -3);
  CHECK(db->run("", sql, Params(Array(kText), Array(kInt8), Array(kBool), Array(kInt4))).empty());
}

TEST_CASE("a statement that is refused leaves its connection usable", "[postgres]") {
  const auto db = connect("postgres");
  try {
    db->run("", "select 1/0");
    FAIL("it divided by zero");
  } catch (const Failure& failure) {
    CHECK(failure.is("22012"));
    CHECK_FALSE(failure.lost());
    CHECK_FALSE(is_environment(failure));
  }
  CHECK(db->usable());
  CHECK(db->run("", "select 7").integer(0, 0) == 7);
}

TEST_CASE("a transaction that failed does not commit", "[postgres]") {
  const auto db = connect("postgres");
  Transaction transaction(*db);
  CHECK_THROWS_AS(db->run("", "select 1/0"), Failure);
  CHECK_THROWS_AS(transaction.commit(), Failure);
}

TEST_CASE("a backend that is ended is a lost connection", "[postgres]") {
  const auto db = connect("postgres");
  const auto other = connect("postgres");
  other->run("", "select pg_terminate_backend($1)", Params(std::int32_t{db->backend_pid()}));
  try {
    db->run("", "select pg_sleep(30)");
    FAIL("it answered");
  } catch (const Failure& failure) {
    CHECK(is_environment(failure));
  }
  CHECK_FALSE(db->usable());
}

TEST_CASE("what waits for the server ends when the connection is cut", "[postgres]") {
  const auto db = connect("postgres");
  std::thread cutter([&] {
    const auto other = connect("postgres");
    while (other
               ->run("", "select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'",
                     Params(std::int32_t{db->backend_pid()}))
               .empty()) {
    }
    db->cut();
  });
  CHECK_THROWS_AS(db->run("", "select pg_sleep(9)"), Failure);
  CHECK_FALSE(db->usable());
  cutter.join();
}

TEST_CASE("a server that does not answer is given up after the deadline", "[postgres]") {
  const Conninfo where = must(Conninfo::parse(server()));
  Connection db(where, Limits{.answer = std::chrono::milliseconds(50)});
  try {
    db.run("", "select pg_sleep(9)");
    FAIL("it answered");
  } catch (const Failure& failure) {
    CHECK(failure.lost());
    CHECK_THAT(failure.what(), Catch::Contains("does not answer"));
  }
}

TEST_CASE("statements and locks have the limits of the connection", "[postgres]") {
  Limits limits;
  limits.statement = std::chrono::milliseconds(20);
  Connection db(must(Conninfo::parse(server())), limits);
  try {
    db.run("", "select pg_sleep(9)");
    FAIL("it answered");
  } catch (const Failure& failure) {
    CHECK(failure.is("57014"));
  }
  const Rows lock(db.run_once("show lock_timeout", {}, false));
  CHECK(lock.view(0, 0) == "5s");
  const Rows idle(db.run_once("show idle_in_transaction_session_timeout", {}, false));
  CHECK(idle.view(0, 0) == "10s");
}

// A host that was cut off in the middle of a commit kept its rows locked for two hours: a server
// does not notice by itself.
TEST_CASE("the server ends a client that is cut off as soon as the client gives up", "[postgres]") {
  const auto db = connect("postgres");
  CHECK(Rows(db->run_once("show tcp_user_timeout")).view(0, 0) == "15000");
  CHECK(Rows(db->run_once("show tcp_keepalives_idle")).view(0, 0) == "5");
}

// What it showed was old, and a handler's state was written from it.
TEST_CASE("a server that only reads is no database of ours", "[postgres]") {
  const postgres_tests::TestDatabase database;
  const std::string set =
      "alter database " + database.name() + " set default_transaction_read_only";
  const auto admin = connect("postgres");
  admin->execute(set + " = on");
  const Conninfo where = must(Conninfo::parse(database.url()));
  CHECK_THAT(refused(where).what(), Catch::Contains("read-only"));
  Connection(where.with("target_session_attrs", "any"), Limits{});
  admin->execute(set + " = off");
  Connection(where, Limits{});
}

TEST_CASE("a refused connection says why, never its password", "[postgres]") {
  const Conninfo good = must(Conninfo::parse(server()));
  const Failure password = refused(good.with("password", "alohomora"));
  CHECK(password.is("28P01"));
  CHECK_THAT(password.what(),
             Catch::Contains("tester at 127.0.0.1") && !Catch::Contains("alohomora"));
  CHECK(to_error(password, "opening").code == Error::Code::invalid);
  CHECK_FALSE(to_error(password, "opening").retryable);
  const Failure database = refused(good.with("dbname", "nowhere"));
  CHECK(database.is("3D000"));
  CHECK_THAT(to_error(database, "opening").to_string(), Catch::Contains("nowhere"));
  const Failure away = refused(good.with("port", "1"));
  CHECK(away.lost());
  CHECK(to_error(away, "opening").retryable);
}

TEST_CASE("a password may have any character", "[postgres]") {
  const auto db = connect("postgres");
  const std::string odd = "a'b\\c d\"=%{}\xC3\xA9 ";
  db->execute("drop role if exists odd");
  db->execute("create role odd login password " + literal(odd));
  const Conninfo where = must(Conninfo::parse(server()));
  const Connection made(where.with("user", "odd").with("password", odd), Limits{});
  CHECK(made.usable());
  CHECK(refused(where.with("user", "odd").with("password", "a'b")).is("28P01"));
}

TEST_CASE("a URL that cannot be read is not repeated", "[postgres]") {
  const auto bad = Conninfo::parse("postgresql://tester:alohomora%zz@127.0.0.1/x");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == Error::Code::invalid);
  CHECK_THAT(bad.error().to_string(), !Catch::Contains("alohomora"));
  const Conninfo url = must(Conninfo::parse("postgresql://harry:alohomora@db.example:6432/owls"));
  CHECK(url.describe() == "harry at db.example:6432, database owls");
}

// A host looks at leases once a second and whenever they change: 0.2 to 0.4 s each, compiled.
TEST_CASE("the server compiles no statement of a worker, though it scans a table", "[postgres]") {
  const postgres_tests::TestDatabase database;
  database.connect_here()->execute("create table scanned as select 1 as number");
  Worker worker({.where = destination(must(Conninfo::parse(database.url())), nullptr)});
  std::promise<std::string> plan;
  worker.submit([&](Connection* db, const Error* why) {
    if (db == nullptr) return plan.set_value(why->to_string());
    std::string lines;
    const Rows rows = db->run("", "explain analyze select number from scanned where number > 0");
    for (int i = 0; i < rows.size(); ++i) lines += rows.bytes(i, 0) + "\n";
    plan.set_value(lines);
  });
  const std::string lines = plan.get_future().get();
  CAPTURE(lines);
  CHECK(lines.find("Seq Scan on scanned") != std::string::npos);
  CHECK(lines.find("JIT") == std::string::npos);
}

}  // namespace
}  // namespace host::postgres
