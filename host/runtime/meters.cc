#include "host/runtime/meters.h"

namespace host::runtime {

Traffic::Traffic(ports::Metrics& metrics, std::string plugin, Way way)
    : metrics_(metrics), plugin_(std::move(plugin)), way_(way) {}

void Traffic::find(const std::string& topic) {
  auto found = flows_.find(topic);
  if (found == flows_.end()) {
    const bool in = way_ == Way::taken;
    const ports::Labels labels{{"plugin", plugin_}, {"topic", topic}};
    ports::Counter& messages =
        metrics_.counter(in ? "host_messages_taken_total" : "host_messages_sent_total", labels);
    ports::Counter& bytes = metrics_.counter(
        in ? "host_messages_taken_bytes_total" : "host_messages_sent_bytes_total", labels);
    found = flows_.emplace(topic, Flow{messages, bytes}).first;
  }
  last_topic_ = found->first;
  last_ = &found->second;
}

void Traffic::flush() {
  for (auto& [topic, flow] : flows_) {
    if (flow.messages == 0) continue;
    flow.messages_total.add(std::exchange(flow.messages, 0));
    flow.bytes_total.add(std::exchange(flow.bytes, 0));
  }
}

void Traffic::count_now(const std::string& topic, std::size_t bytes) {
  if (last_ == nullptr || last_topic_ != topic) find(topic);
  last_->messages_total.add(1);
  last_->bytes_total.add(static_cast<double>(bytes));
}

HandlerTimes::HandlerTimes(ports::Metrics& metrics, std::string plugin)
    : metrics_(metrics), plugin_(std::move(plugin)) {}

void HandlerTimes::find(std::string_view kind, const std::string& handler) {
  const std::pair key{std::string(kind), handler};
  auto found = times_.find(key);
  if (found == times_.end()) {
    ports::Histogram& histogram =
        metrics_.histogram("host_handler_seconds",
                           {{"plugin", plugin_}, {"kind", key.first}, {"handler", key.second}});
    found = times_.emplace(key, Times{histogram, {}}).first;
  }
  last_kind_ = found->first.first;
  last_handler_ = found->first.second;
  last_ = &found->second;
}

void HandlerTimes::flush() {
  for (auto& [handler, times] : times_) {
    if (times.seconds.empty()) continue;
    times.histogram.observe_all(times.seconds);
    times.seconds.clear();
  }
}

void HandlerTimes::count_now(std::string_view kind, const std::string& handler, double seconds) {
  if (last_ == nullptr || last_kind_ != kind || last_handler_ != handler) find(kind, handler);
  last_->histogram.observe(seconds);
}

std::string_view kind_of(Message::Kind kind) {
  switch (kind) {
    case Message::Kind::record:
      return "topic";
    case Message::Kind::timer:
      return "timer";
    case Message::Kind::every:
      break;
  }
  return "every";
}

}  // namespace host::runtime
