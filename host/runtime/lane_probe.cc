#include "host/runtime/lane_probe.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace host::runtime {
namespace {

double thread_cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

}  // namespace

LaneProbe::LaneProbe(Executor& lane, int number, const ports::Clock& clock, ports::Metrics& metrics)
    : lane_(lane),
      clock_(clock),
      delay_(metrics.histogram("host_lane_delay_seconds", {{"lane", std::to_string(number)}})),
      cpu_(metrics.counter("host_lane_cpu_seconds_total", {{"lane", std::to_string(number)}})) {}

void LaneProbe::start() {
  const Time due = clock_.now() + kEvery;
  lane_.post_after(kEvery, [this, due, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) look_at(due);
  });
}

void LaneProbe::look_at(Time due) {
  const Duration late = std::max(clock_.now() - due, Duration::zero());
  delay_.observe(std::chrono::duration<double>(late).count());
  const double cpu = thread_cpu_seconds();
  cpu_.add(std::max(cpu - counted_cpu_, 0.0));
  counted_cpu_ = cpu;
  start();
}

}  // namespace host::runtime
