#pragma once

#include <string>

#include "host/runtime/batch.h"
#include "host/runtime/meters.h"

namespace host::runtime {

/// What happened since the last commit; given to the metrics with each.
struct Counts {
  double handled = 0, raised = 0, retried = 0, dead = 0, duplicates = 0, once_dropped = 0,
         quiet_dropped = 0;
};

/// What one shard tells the metrics. While messages pass it counts in plain numbers; each commit
/// hands them over, so that a message costs no look-up and no atomic. Only on its lane.
class ShardMeter {
 public:
  ShardMeter(ports::Metrics& metrics, const std::string& plugin);

  Counts counts;
  Traffic taken;
  HandlerTimes handlers;

  void committed(const Batch& batch, Duration took);

 private:
  struct Series {
    ports::Counter& total;
    double Counts::*of;
  };
  const std::vector<Series> series_;
  Traffic sent_;
  ports::Counter& commits_;
  ports::Histogram& commit_seconds_;
  ports::Histogram& commit_messages_;
};

}  // namespace host::runtime
