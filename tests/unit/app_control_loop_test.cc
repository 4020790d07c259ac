#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "host/app/control_loop.h"

namespace host::app {
namespace {

TEST_CASE("the control loop runs what is posted in its order, until it quits") {
  ControlLoop loop;
  std::string ran;
  loop.post([&] { ran += "a"; });
  loop.post([&] {
    ran += "b";
    loop.post([&] { ran += "d"; });
    loop.quit();
  });
  loop.post([&] { ran += "c"; });
  loop.run();
  CHECK(ran == "ab");
}

TEST_CASE("delayed work runs in the order of its times, and cancelled work never") {
  ControlLoop loop;
  std::string ran;
  loop.post_after(std::chrono::milliseconds(3), [&] {
    ran += "c";
    loop.quit();
  });
  loop.post_after(std::chrono::milliseconds(1), [&] { ran += "b"; });
  const auto cancelled = loop.post_after(std::chrono::milliseconds(2), [&] { ran += "x"; });
  loop.cancel(cancelled);
  loop.run();
  CHECK(ran == "bc");
}

TEST_CASE("the control loop runs for a time, and says whether it quit") {
  ControlLoop loop;
  std::string ran;
  loop.post([&] { ran += "a"; });
  CHECK(loop.run_for(std::chrono::milliseconds(1)));
  CHECK(loop.run_for(Duration::zero()));
  loop.post([&] {
    ran += "b";
    loop.quit();
  });
  CHECK_FALSE(loop.run_for(std::chrono::minutes(1)));
  CHECK(ran == "ab");
}

TEST_CASE("another thread can post and quit while the loop waits") {
  ControlLoop loop;
  int ran = 0;
  std::thread other([&] {
    loop.post([&] { ++ran; });
    loop.post([&] { loop.quit(); });
  });
  loop.run();
  other.join();
  CHECK(ran == 1);
}

TEST_CASE("a loop that was told to quit before it ran returns at once") {
  ControlLoop loop;
  loop.quit();
  loop.run();
  SUCCEED();
}

}  // namespace
}  // namespace host::app
