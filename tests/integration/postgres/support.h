#pragma once

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <string>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/names.h"

namespace host::postgres_tests {

template <class T>
T must(Result<T> result) {
  if (!result.ok()) FAIL(to_string(result.error().code) << ": " << result.error().to_string());
  return std::move(result).value();
}
inline void must(const Result<void>& result) {
  if (!result.ok()) FAIL(to_string(result.error().code) << ": " << result.error().to_string());
}

/// The server that tests/servers/with postgres started, as libpq reads it.
inline std::string server() {
  const char* address = std::getenv("TEST_POSTGRES");
  REQUIRE(address != nullptr);
  return address;
}

/// A connection to any database of the server, as its superuser.
inline std::unique_ptr<postgres::Connection> connect(const std::string& database) {
  const postgres::Conninfo where = must(postgres::Conninfo::parse(server()));
  return std::make_unique<postgres::Connection>(where.with("dbname", database), postgres::Limits{});
}

/// A fresh, empty database, dropped at the end with whoever is still connected.
class TestDatabase {
 public:
  TestDatabase() {
    static std::atomic<int> count{0};
    name_ = "case_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
    connect("postgres")->execute("create database " + name_);
  }
  ~TestDatabase() {
    try {
      connect("postgres")->execute("drop database " + name_ + " with (force)");
    } catch (const postgres::Failure&) {
      // The server is away: so is the database, with its folder.
    }
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& name() const { return name_; }
  std::string url() const {
    return must(postgres::Conninfo::parse(server())).with("dbname", name_).text();
  }
  std::unique_ptr<postgres::Connection> connect_here() const { return connect(name_); }

 private:
  std::string name_;
};

}  // namespace host::postgres_tests
