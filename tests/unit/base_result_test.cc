#include <catch2/catch.hpp>
#include <memory>

#include "host/base/result.h"
#include "host/base/unique_function.h"

namespace host {
namespace {

TEST_CASE("an error prints its place, what and how to mend it") {
  CHECK(make_error(Error::Code::invalid, "no key").to_string() == "no key");
  CHECK(make_error(Error::Code::invalid, "no key", "give one").to_string() == "no key (give one)");
  Error error = make_error(Error::Code::script_error, "nil value", "check it");
  error.file = "plugins/a.lua";
  CHECK(error.to_string() == "plugins/a.lua: nil value (check it)");
  error.line = 3;
  CHECK(error.to_string() == "plugins/a.lua:3: nil value (check it)");
}

TEST_CASE("only a retryable error says that a repeat may help") {
  CHECK_FALSE(make_error(Error::Code::unavailable, "away").retryable);
  CHECK(retryable_error(Error::Code::unavailable, "away").retryable);
}

TEST_CASE("every error code has its own name") {
  CHECK(std::string(to_string(Error::Code::invalid)) == "invalid");
  CHECK(std::string(to_string(Error::Code::script_error)) == "script_error");
  CHECK(std::string(to_string(Error::Code::internal)) == "internal");
  CHECK(std::string(to_string(Error::Code::fenced)) == "fenced");
}

TEST_CASE("a result holds a value or an error") {
  Result<std::unique_ptr<int>> good = std::make_unique<int>(7);
  REQUIRE(good.ok());
  const std::unique_ptr<int> taken = std::move(good).value();
  CHECK(*taken == 7);
  const Result<std::string> bad = make_error(Error::Code::not_found, "gone");
  CHECK_FALSE(bad);
  CHECK(bad.error().message == "gone");
  CHECK(Result<void>().ok());
  CHECK_FALSE(Result<void>(make_error(Error::Code::corrupt, "x")).ok());
}

TEST_CASE("a unique function owns what it captured and passes arguments through") {
  auto number = std::make_unique<int>(5);
  UniqueFunction<int(std::unique_ptr<int>)> add =
      [number = std::move(number)](std::unique_ptr<int> other) { return *number + *other; };
  REQUIRE(add);
  UniqueFunction<int(std::unique_ptr<int>)> moved = std::move(add);
  CHECK_FALSE(add);  // NOLINT: a moved-from function is empty, and callers rely on it
  CHECK(moved(std::make_unique<int>(2)) == 7);
}

TEST_CASE("a unique function destroys its captures when it is cleared") {
  auto shared = std::make_shared<int>(1);
  UniqueFunction<void()> keeps = [shared] {};
  CHECK(shared.use_count() == 2);
  keeps = nullptr;
  CHECK(shared.use_count() == 1);
  CHECK_FALSE(keeps);
}

TEST_CASE("a unique function keeps its state between calls") {
  UniqueFunction<int()> count = [n = 0]() mutable { return ++n; };
  CHECK(count() == 1);
  CHECK(count() == 2);
}

TEST_CASE("a unique function takes references as they are") {
  UniqueFunction<void(int&)> raise = [](int& n) { ++n; };
  int n = 1;
  raise(n);
  CHECK(n == 2);
}

}  // namespace
}  // namespace host
