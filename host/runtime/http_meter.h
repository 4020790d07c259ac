#pragma once

#include <memory>
#include <string>

#include "host/runtime/meters.h"

namespace host::runtime {

/// What the requests of one plugin on one lane tell the metrics, beside how they were answered.
/// Only on its lane.
struct HttpMeter {
  HttpMeter(ports::Metrics& metrics, const std::string& plugin)
      : sent(metrics, plugin, Traffic::Way::sent),
        handlers(metrics, plugin),
        open_streams(metrics.gauge("host_http_open_streams", {{"plugin", plugin}})) {}

  Traffic sent;
  HandlerTimes handlers;
  ports::Gauge& open_streams;
};

/// Counts something as long as it, or a copy of it, lives.
class CountedIn {
 public:
  explicit CountedIn(ports::Gauge& gauge)
      : in_(&gauge, [](ports::Gauge* counted) { counted->add(-1); }) {
    gauge.add(1);
  }

 private:
  std::shared_ptr<ports::Gauge> in_;
};

}  // namespace host::runtime
