#include <catch2/catch.hpp>
#include <string>

#include "host/app/virtual_executor.h"

namespace host::app {
namespace {

TEST_CASE("virtual time runs what falls due on the way, at its time") {
  VirtualExecutor lane;
  const Time start = lane.now();
  std::string ran;
  lane.post_after(std::chrono::hours(2), [&] { ran += "c"; });
  lane.post_after(std::chrono::hours(1), [&] {
    CHECK(lane.now() == start + std::chrono::hours(1));
    ran += "a";
    lane.post([&] { ran += "b"; });
  });
  const auto cancelled = lane.post_after(std::chrono::minutes(1), [&] { ran += "x"; });
  lane.cancel(cancelled);
  CHECK(lane.until_next() == Duration(std::chrono::hours(1)));
  REQUIRE(lane.advance(std::chrono::minutes(90)));
  CHECK(ran == "ab");
  CHECK(lane.now() == start + std::chrono::minutes(90));
  REQUIRE(lane.advance(std::chrono::minutes(30)));
  CHECK(ran == "abc");
  CHECK(lane.until_next() == kForever);
}

struct Endless {
  VirtualExecutor lane;
  int ran = 0;

  void again() {
    if (++ran == 1000) lane.stop_after(Duration::zero());
    lane.post([this] { again(); });
  }
  void ring() {
    if (++ran == 1000) lane.stop_after(Duration::zero());
    lane.post_after(std::chrono::microseconds(1), [this] { ring(); });
  }
};

TEST_CASE_METHOD(Endless, "work that never ends is ended at the limit, and runs no more") {
  again();
  CHECK_FALSE(lane.run_ready());
  CHECK(ran == 1000);
  CHECK_FALSE(lane.run_ready());
  CHECK(ran == 1000);
}

TEST_CASE_METHOD(Endless, "timers that set each other without end are ended at the limit") {
  ring();
  CHECK_FALSE(lane.advance(std::chrono::hours(1)));
  CHECK(ran == 1000);
}

}  // namespace
}  // namespace host::app
