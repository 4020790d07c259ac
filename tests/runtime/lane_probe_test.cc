#include "host/runtime/lane_probe.h"

#include <catch2/catch.hpp>

#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recorders.h"

namespace host::runtime {
namespace {

struct World {
  std::vector<double> delays() const { return metrics.observed("host_lane_delay_seconds"); }

  fakes::Scheduler scheduler;
  fakes::ManualExecutor lane{scheduler};
  fakes::RecordingMetrics metrics;
};

}  // namespace

TEST_CASE("a lane that is free is never late") {
  World w;
  LaneProbe probe(w.lane, 0, w.scheduler.clock(), w.metrics);
  probe.start();
  REQUIRE(w.scheduler.advance(5 * LaneProbe::kEvery));
  CHECK(w.delays() == std::vector<double>(5, 0.0));
}

TEST_CASE("a lane that is held up is as late as it was held, once") {
  World w;
  LaneProbe probe(w.lane, 0, w.scheduler.clock(), w.metrics);
  probe.start();
  w.lane.pause();
  REQUIRE(w.scheduler.advance(LaneProbe::kEvery + std::chrono::milliseconds(250)));
  w.lane.resume();
  REQUIRE(w.scheduler.run_until_idle());
  CHECK(w.delays() == std::vector<double>{0.25});
  REQUIRE(w.scheduler.advance(LaneProbe::kEvery));
  CHECK(w.delays() == std::vector<double>{0.25, 0.0});
}

TEST_CASE("a probe that is gone looks no more") {
  World w;
  {
    LaneProbe probe(w.lane, 0, w.scheduler.clock(), w.metrics);
    probe.start();
  }
  REQUIRE(w.scheduler.advance(3 * LaneProbe::kEvery));
  CHECK(w.delays().empty());
}

TEST_CASE("processor time of the lane's thread adds up") {
  World w;
  LaneProbe probe(w.lane, 3, w.scheduler.clock(), w.metrics);
  probe.start();
  REQUIRE(w.scheduler.advance(LaneProbe::kEvery));
  const double first = w.metrics.value("host_lane_cpu_seconds_total", {{"lane", "3"}});
  REQUIRE(w.scheduler.advance(10 * LaneProbe::kEvery));
  CHECK(first > 0);
  CHECK(w.metrics.value("host_lane_cpu_seconds_total", {{"lane", "3"}}) > first);
}

}  // namespace host::runtime
