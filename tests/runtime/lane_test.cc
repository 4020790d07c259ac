#include "host/runtime/lane.h"

#include <catch2/catch.hpp>
#include <future>
#include <vector>

namespace host::runtime {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

/// Runs `work` on the lane and waits for it.
template <class Work>
void on(Lane& lane, Work work) {
  std::promise<void> done;
  lane.post([&] {
    work();
    done.set_value();
  });
  REQUIRE(done.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready);
}

}  // namespace

TEST_CASE("work runs in the order of its posts, on the lane", "[lane]") {
  Lane lane(3);
  lane.start();
  std::vector<int> ran;
  bool here = true;
  for (int i = 0; i < 100; ++i) {
    lane.post([&, i] {
      ran.push_back(i);
      here = here && lane.here();
    });
  }
  on(lane, [] {});
  REQUIRE(ran.size() == 100);
  REQUIRE(std::is_sorted(ran.begin(), ran.end()));
  REQUIRE(here);
  REQUIRE_FALSE(lane.here());
  REQUIRE(lane.number() == 3);
}

TEST_CASE("what is cancelled does not run, also right after it was asked for", "[lane]") {
  Lane lane(0);
  lane.start();
  std::promise<void> later;
  bool ran = false;
  on(lane, [&] {
    const auto id = lane.post_after(Duration::zero(), [&] { ran = true; });
    lane.cancel(id);
    lane.cancel(id);
    lane.post_after(milliseconds(5), [&] { later.set_value(); });
  });
  later.get_future().wait();
  REQUIRE_FALSE(ran);
}

TEST_CASE("what another thread asked for can be cancelled before it is armed", "[lane]") {
  Lane lane(0);
  bool ran = false;
  const auto id = lane.post_after(Duration::zero(), [&] { ran = true; });
  std::promise<void> later;
  // On the lane's loop, but asked for before it began: the cancel comes first.
  Lane first(1);
  first.start();
  lane.cancel(id);
  lane.start();
  lane.post_after(milliseconds(5), [&] { later.set_value(); });
  later.get_future().wait();
  REQUIRE_FALSE(ran);
}

TEST_CASE("a delay beyond all clocks does not run at once", "[lane]") {
  Lane lane(0);
  lane.start();
  bool ran = false;
  std::promise<void> later;
  on(lane, [&] {
    lane.post_after(kForever, [&] { ran = true; });
    lane.post_after(milliseconds(5), [&] { later.set_value(); });
  });
  later.get_future().wait();
  REQUIRE_FALSE(ran);
}

TEST_CASE("a lane is stopped while busy, and twice", "[lane]") {
  Lane lane(0);
  lane.start();
  std::promise<void> begun;
  std::shared_future<void> go;
  std::promise<void> release;
  go = release.get_future().share();
  bool finished = false;
  bool dropped = true;
  lane.post([&] {
    begun.set_value();
    go.wait();
    finished = true;
  });
  lane.post_after(hours(1), [&] { dropped = false; });
  begun.get_future().wait();
  release.set_value();
  lane.stop();
  lane.stop();
  REQUIRE(finished);
  REQUIRE(dropped);
}

TEST_CASE("a lane that never began is stopped", "[lane]") {
  Lane lane(0);
  lane.post([] { FAIL("it has no thread"); });
  lane.stop();
}

}  // namespace host::runtime
