#include "host/runtime/shard_meter.h"

namespace host::runtime {

ShardMeter::ShardMeter(ports::Metrics& metrics, const std::string& plugin)
    : taken(metrics, plugin, Traffic::Way::taken),
      handlers(metrics, plugin),
      series_([&] {
        const auto counter = [&](const char* name) -> ports::Counter& {
          return metrics.counter(name, {{"plugin", plugin}});
        };
        return std::vector<Series>{
            {counter("host_messages_handled_total"), &Counts::handled},
            {counter("host_script_errors_total"), &Counts::raised},
            {counter("host_retries_total"), &Counts::retried},
            {counter("host_dead_letters_total"), &Counts::dead},
            {counter("host_duplicates_dropped_total"), &Counts::duplicates},
            {counter("host_once_dropped_total"), &Counts::once_dropped},
            {counter("host_late_dropped_total"), &Counts::quiet_dropped},
        };
      }()),
      sent_(metrics, plugin, Traffic::Way::sent),
      commits_(metrics.counter("host_commits_total", {{"plugin", plugin}})),
      commit_seconds_(metrics.histogram("host_commit_seconds", {{"plugin", plugin}})),
      commit_messages_(metrics.histogram("host_commit_messages", {{"plugin", plugin}})) {}

void ShardMeter::committed(const Batch& batch, Duration took) {
  for (const Series& series : series_) {
    if (counts.*series.of > 0) series.total.add(counts.*series.of);
  }
  counts = {};
  for (const ports::OutgoingRow& row : batch.commit->outgoing) {
    sent_.count(row.record.topic, row.record.payload.size());
  }
  taken.flush();
  sent_.flush();
  handlers.flush();
  commits_.add(1);
  commit_seconds_.observe(static_cast<double>(took.count()) * 1e-6);
  commit_messages_.observe(static_cast<double>(batch.finished.size()));
}

}  // namespace host::runtime
