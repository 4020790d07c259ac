#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/time.h"
#include "host/core/ids.h"

namespace host {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Names of the headers that the host itself writes; a script's own headers never begin so.
namespace header {
inline constexpr const char* kId = "host-id";              // message id, kept through the inbox
inline constexpr const char* kOrigin = "host-origin";      // "DATABASE/PLUGIN/SHARD/EPOCH-SEQ"
inline constexpr const char* kRevision = "host-revision";  // of the script that emitted it
inline constexpr const char* kAsk = "host-ask";            // ask id that ctx:reply answers
inline constexpr const char* kAskOnce = "host-ask-once";   // set: an ask of this id is handled once
inline constexpr const char* kTime = "host-time";          // original time of a re-keyed message
inline constexpr const char* kTopic = "host-topic";        // original topic of one in an inbox
inline constexpr const char* kCorrelation = "correlation-id";
inline constexpr const char* kTrace = "traceparent";
}  // namespace header

/// The value of a header, or null. Borrowed from `headers`.
const std::string* find_header(const Headers& headers, std::string_view name);
void set_header(Headers& headers, std::string_view name, std::string value);

/// One record of a log: what travels. `time` is when it entered the log.
struct Record {
  std::string topic;
  PartitionNumber partition = 0;
  Offset offset = -1;
  Time time{};
  std::optional<std::string> key;
  std::string payload;
  Headers headers;
};

/// Where a record of one of our hosts stands in its sender's stream.
struct Origin {
  std::string stream;  // "DATABASE/PLUGIN/SHARD"
  StreamPosition position;

  std::string to_string() const;
};
/// Of `kOrigin`; nothing when the record has none or a foreign one.
std::optional<Origin> parse_origin(const Headers& headers);

struct Message;
/// What a message hands on to those that it leads to: correlation id (its own id begins one) and
/// trace.
Headers carried_headers(const Message& message);

/// What a handler is run for: a record, a timer that is due, or an `every` that is due.
struct Message {
  enum class Kind { record, timer, every };

  Kind kind = Kind::record;
  std::string id;  // "PLUGIN/SHARD/EPOCH-SEQ", "TOPIC/PARTITION/OFFSET", or a timer's id
  std::string
      topic;  // of the record (the original one, through the inbox); a timer's or every's name
  std::optional<std::string> key;
  std::string payload;
  Headers headers;
  Time time{};      // entered the log, or due
  int attempt = 1;  // 1-based
};

}  // namespace host
