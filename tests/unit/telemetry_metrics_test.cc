#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "host/adapters/telemetry/metrics.h"

using namespace host;
using telemetry::PrometheusMetrics;

namespace {

bool has(const PrometheusMetrics& metrics, const std::string& line) {
  return ("\n" + metrics.text()).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("counters add up, gauges stand, histograms fill buckets") {
  PrometheusMetrics metrics;
  metrics.describe("a_total", "counter", "How many.");
  metrics.describe("b", "gauge", "How high.");
  metrics.describe("c_seconds", "histogram", "How long.");
  metrics.add("a_total", 1, {{"plugin", "p"}});
  metrics.add("a_total", 2, {{"plugin", "p"}});
  metrics.set("b", 7);
  metrics.add("b", -2);
  metrics.observe("c_seconds", 0.03);
  CHECK(has(metrics, "# HELP a_total How many."));
  CHECK(has(metrics, "# TYPE a_total counter"));
  CHECK(has(metrics, "a_total{plugin=\"p\"} 3"));
  CHECK(has(metrics, "b 5"));
  CHECK(has(metrics, "c_seconds_bucket{le=\"0.02\"} 0"));
  CHECK(has(metrics, "c_seconds_bucket{le=\"0.05\"} 1"));
  CHECK(has(metrics, "c_seconds_count 1"));
}

TEST_CASE("a name that was not described is what it is first used as") {
  PrometheusMetrics metrics;
  metrics.add("a_total", 1);
  metrics.set("b", 1);
  metrics.observe("c_bytes", 100);
  CHECK(has(metrics, "# TYPE a_total counter"));
  CHECK(has(metrics, "# TYPE b gauge"));
  CHECK(has(metrics, "c_bytes_bucket{le=\"256\"} 1"));
}

TEST_CASE("series of one plugin are capped, and what is dropped is counted") {
  PrometheusMetrics metrics(3);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5; ++i) {
      metrics.add("a_total", 1, {{"plugin", "p"}, {"i", std::to_string(i)}});
    }
  }
  metrics.add("a_total", 1, {{"plugin", "q"}});
  for (int i = 0; i < 10; ++i) metrics.add("host_b_total", 1, {{"i", std::to_string(i)}});
  CHECK(has(metrics, "a_total{i=\"2\",plugin=\"p\"} 2"));
  CHECK(metrics.text().find("i=\"3\",plugin") == std::string::npos);
  CHECK(has(metrics, "a_total{plugin=\"q\"} 1"));
  CHECK(has(metrics, "host_b_total{i=\"9\"} 1"));
  CHECK(has(metrics, "host_metric_series_dropped_total{plugin=\"p\"} 4"));
}

TEST_CASE("what does not fit is dropped and counted, and spoils nothing") {
  PrometheusMetrics metrics;
  metrics.describe("a_total", "counter", "");
  metrics.describe("b", "gauge", "");
  metrics.describe("d", "summary", "");
  metrics.add("a_total", -1);
  metrics.add("a_total", std::numeric_limits<double>::infinity());
  metrics.set("a_total", 1);
  metrics.observe("b", 1);
  metrics.observe("c", std::nan(""));
  metrics.add("no name", 1);
  metrics.add("e_total", 1, {{"no label", "x"}});
  metrics.add("e_total", 1, {{"x", "1"}, {"x", "2"}});
  metrics.add("e_total", 1, {{"x", "\xff"}});
  metrics.observe("f", 1, {{"le", "1"}});
  CHECK(has(metrics, "host_metric_misuse_total{metric=\"a_total\"} 3"));
  for (const char* name : {"b", "c", "d", "?", "f"}) {
    CAPTURE(name);
    CHECK(has(metrics, "host_metric_misuse_total{metric=\"" + std::string(name) + "\"} 1"));
  }
  CHECK(has(metrics, "host_metric_misuse_total{metric=\"e_total\"} 3"));
  CHECK(has(metrics, "a_total 0"));
}

TEST_CASE("a series that is kept is the one that its name finds") {
  PrometheusMetrics metrics;
  metrics.describe("c_seconds", "histogram", "");
  const ports::Labels labels{{"plugin", "p"}};
  ports::Counter& counter = metrics.counter("a_total", labels);
  CHECK(has(metrics, "a_total{plugin=\"p\"} 0"));
  counter.add(2);
  metrics.add("a_total", 1, labels);
  metrics.gauge("b").set(7);
  metrics.gauge("b").add(-2);
  ports::Histogram& histogram = metrics.histogram("c_seconds", labels);
  histogram.observe(0.03);
  histogram.observe_all(std::vector{0.05, 0.06, 1000.0});
  metrics.observe("c_seconds", 0.04, labels);
  CHECK(has(metrics, "a_total{plugin=\"p\"} 3"));
  CHECK(has(metrics, "b 5"));
  CHECK(has(metrics, "c_seconds_bucket{plugin=\"p\",le=\"0.05\"} 3"));
  CHECK(has(metrics, "c_seconds_bucket{plugin=\"p\",le=\"0.1\"} 4"));
  CHECK(has(metrics, "c_seconds_bucket{plugin=\"p\",le=\"300\"} 4"));
  CHECK(has(metrics, "c_seconds_bucket{plugin=\"p\",le=\"+Inf\"} 5"));
  CHECK(has(metrics, "c_seconds_count{plugin=\"p\"} 5"));
  CHECK(has(metrics, "c_seconds_sum{plugin=\"p\"} 1000.18"));
}

TEST_CASE("a kept series that cannot be counts each use as lost") {
  PrometheusMetrics metrics(1);
  metrics.add("a_total", 1, {{"plugin", "p"}});
  ports::Counter& dropped = metrics.counter("b_total", {{"plugin", "p"}});
  CHECK(metrics.text().find("host_metric_series_dropped_total{") == std::string::npos);
  dropped.add(5);
  dropped.add(5);
  metrics.histogram("a_total", {{"plugin", "p"}}).observe_all(std::vector{1.0, 2.0, 3.0});
  metrics.gauge("no name").set(1);
  metrics.counter("a_total", {{"plugin", "p"}}).add(-1);
  metrics.histogram("c").observe_all(std::vector{std::nan(""), 1.0});
  CHECK(has(metrics, "host_metric_series_dropped_total{plugin=\"p\"} 2"));
  CHECK(has(metrics, "host_metric_misuse_total{metric=\"a_total\"} 4"));
  CHECK(has(metrics, "host_metric_misuse_total{metric=\"?\"} 1"));
  CHECK(has(metrics, "host_metric_misuse_total{metric=\"c\"} 1"));
  CHECK(has(metrics, "c_count 1"));
  CHECK(has(metrics, "a_total{plugin=\"p\"} 1"));
}

TEST_CASE("values as they are now are in the text alone") {
  PrometheusMetrics metrics;
  metrics.describe("a_bytes", "gauge", "How much.");
  metrics.describe("b_total", "counter", "How many.");
  const std::vector<telemetry::Sample> now{{"a_bytes", 5, {{"z", "1"}, {"plugin", "p"}}},
                                           {"a_bytes", 6, {{"plugin", "o"}}},
                                           {"b_total", 7},
                                           {"c", 8, {{"plugin", "\xff"}}}};
  const std::string text = metrics.text(now);
  CHECK(text ==
        "# HELP a_bytes How much.\n# TYPE a_bytes gauge\n"
        "a_bytes{plugin=\"o\"} 6\na_bytes{plugin=\"p\",z=\"1\"} 5\n"
        "# HELP b_total How many.\n# TYPE b_total counter\nb_total 7\n");
  CHECK(metrics.text().empty());
}

TEST_CASE("a label value of any text stays one line") {
  PrometheusMetrics metrics;
  metrics.add("a_total", 1, {{"x", "one\n\"two\"\\"}});
  CHECK(has(metrics, "a_total{x=\"one\\n\\\"two\\\"\\\\\"} 1"));
}

TEST_CASE("two instances on one thread keep their values apart") {
  PrometheusMetrics a;
  PrometheusMetrics b;
  for (int i = 0; i < 3; ++i) {
    a.add("n_total", 1);
    b.add("n_total", 10);
  }
  CHECK(has(a, "n_total 3"));
  CHECK(has(b, "n_total 30"));
}

TEST_CASE("many threads add to the same series") {
  PrometheusMetrics metrics;
  ports::Counter& kept = metrics.counter("k_total");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        metrics.add("n_total", 1, {{"plugin", "p"}, {"i", std::to_string(i % 10)}});
        metrics.observe("d_seconds", 0.1);
        kept.add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(has(metrics, "n_total{i=\"7\",plugin=\"p\"} 4000"));
  CHECK(has(metrics, "d_seconds_count 40000"));
  CHECK(has(metrics, "k_total 40000"));
}
