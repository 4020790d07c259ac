#include "host/runtime/state_view.h"

#include <catch2/catch.hpp>

namespace host::runtime {
namespace {

ports::StateRow row(std::string bytes) { return {.bytes = std::move(bytes), .version = 1}; }

}  // namespace

TEST_CASE("a state that nobody read is not known", "[state_view]") {
  const StateView view(1000);
  REQUIRE(view.find("a") == nullptr);
}

TEST_CASE("what a handler left wins over what the store answers later", "[state_view]") {
  StateView view(1000);
  view.executed("a", row("new"));
  view.loaded("a", row("old"));
  REQUIRE(view.find("a")->bytes == "new");
}

TEST_CASE("a state that is larger than the room stays until another one is read", "[state_view]") {
  StateView view(10);
  view.loaded("a", row(std::string(500, 'x')));
  REQUIRE(view.find("a") != nullptr);
  view.loaded("b", row("y"));
  REQUIRE(view.find("a") == nullptr);
  REQUIRE(view.find("b") != nullptr);
}

TEST_CASE("states with uncommitted changes are never forgotten", "[state_view]") {
  StateView view(10);
  view.executed("a", row("1"));
  view.executed("a", row("2"));
  for (int i = 0; i < 5; ++i) view.loaded("other-" + std::to_string(i), row("z"));
  REQUIRE(view.find("a")->bytes == "2");
  view.committed("a");
  view.loaded("b", row("z"));
  REQUIRE(view.find("a")->bytes == "2");
  view.committed("a");
  REQUIRE(view.find("a") == nullptr);
}

TEST_CASE("changes are taken back one by one", "[state_view]") {
  StateView view(1000);
  view.loaded("a", row("0"));
  const auto before_first = view.executed("a", row("1"));
  const auto before_second = view.executed("a", row("2"));
  view.rolled_back("a", before_second);
  REQUIRE(view.find("a")->bytes == "1");
  view.rolled_back("a", before_first);
  REQUIRE(view.find("a")->bytes == "0");
}

TEST_CASE("a change of a state that was not in memory is taken back to the store's",
          "[state_view]") {
  StateView view(1000);
  REQUIRE_FALSE(view.executed("a", row("1")));
  view.rolled_back("a", std::nullopt);
  REQUIRE(view.find("a") == nullptr);
  view.loaded("a", row("of the store"));
  view.loaded("b", row(std::string(2000, 'x')));
  view.loaded("c", row("c"));
  REQUIRE(view.find("c") != nullptr);
}

}  // namespace host::runtime
