#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "host/ports/http_server.h"
#include "host/ports/script_engine.h"
#include "host/runtime/environment.h"
#include "host/runtime/http_call.h"
#include "host/runtime/plugin_code.h"

namespace host::runtime {

/// One client that follows a topic, or a handler that runs again and again, as server-sent events.
/// An event's id is opaque: where every partition stands behind it, so that Last-Event-ID goes on
/// exactly there. What is older than the log is told by `event: gap`. A slow client slows its own
/// reading down, nothing else. Only on its lane.
class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  struct Source {
    std::string topic;               // in the log; empty: a handler is run every `every`
    std::optional<std::string> key;  // only its records
    Duration every{};
    bool has_map = false;
    std::string route;  // its name; where it stands in the manifest changes with the code
    ports::Call call;   // what the handler, or the map, is run with
  };

  EventStream(const Environment& environment, Executor& lane, PluginCode& code, Source source,
              std::shared_ptr<ports::HttpStream> out, std::function<void()> ended);

  /// `last_event_id` as the client sent it, or "".
  void start(const std::string& last_event_id);
  void stop();

 private:
  struct Partition {
    Offset next = -1;
    std::unique_ptr<ports::Log::Fetch> fetch;
  };
  void resume_from(const std::string& id);
  void open(PartitionNumber number, Offset wanted);
  void opened(PartitionNumber number, Offset wanted, ports::Log::Range range);
  bool find_route();
  void fetch(PartitionNumber number);
  void fetched(PartitionNumber number, Result<ports::Fetched> result);
  std::optional<std::string> map(Record record);
  std::string id() const;
  void tick();
  void keep_alive();
  void write(std::string text, UniqueFunction<void()> then);
  void pump_writes();

  const Environment& env_;
  Executor& lane_;
  PluginCode& code_;
  Source source_;
  std::shared_ptr<ports::HttpStream> out_;
  std::function<void()> ended_;
  std::map<PartitionNumber, Partition> partitions_;
  std::deque<std::pair<std::string, UniqueFunction<void()>>> writes_;
  std::shared_ptr<HttpCall> call_;
  std::size_t unopened_ = 0;  // partitions of which nobody knows yet where they stand
  bool writing_ = false;
  bool stopped_ = false;
};

}  // namespace host::runtime
