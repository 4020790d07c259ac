#include "host/runtime/meters.h"

#include <catch2/catch.hpp>

#include "tests/fakes/recorders.h"

namespace host::runtime {

TEST_CASE("traffic is handed over by topic, each message once") {
  fakes::RecordingMetrics metrics;
  Traffic sent(metrics, "p", Traffic::Way::sent);
  sent.count("a", 10);
  sent.count("b", 1);
  sent.count("a", 5);
  CHECK(metrics.value("host_messages_sent_total") == 0);
  sent.flush();
  sent.flush();
  const auto value = [&](const char* name, const char* topic) {
    return metrics.value(name, {{"plugin", "p"}, {"topic", topic}});
  };
  CHECK(value("host_messages_sent_total", "a") == 2);
  CHECK(value("host_messages_sent_bytes_total", "a") == 15);
  CHECK(value("host_messages_sent_total", "b") == 1);
  CHECK(value("host_messages_sent_bytes_total", "b") == 1);
  Traffic taken(metrics, "p", Traffic::Way::taken);
  taken.count("a", 0);
  taken.flush();
  CHECK(value("host_messages_taken_total", "a") == 1);
  CHECK(value("host_messages_taken_bytes_total", "a") == 0);
}

TEST_CASE("times of handlers are handed over, and what waits in between is not theirs") {
  fakes::RecordingMetrics metrics;
  HandlerTimes times(metrics, "p");
  times.count("topic", "a", 0.5);
  times.count("timer", "a", 0.25);
  times.count("topic", "a", 0.125);
  CHECK(metrics.observed("host_handler_seconds").empty());
  times.flush();
  times.flush();
  CHECK(metrics.observed("host_handler_seconds") == std::vector<double>{0.25, 0.5, 0.125});
}

TEST_CASE("turns of a call add up") {
  double seconds = 0;
  { const Turn turn(seconds); }
  const double first = seconds;
  CHECK(first > 0);
  { const Turn turn(seconds); }
  CHECK(seconds > first);
}

}  // namespace host::runtime
