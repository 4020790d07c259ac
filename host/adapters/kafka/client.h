#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/adapters/kafka/handles.h"
#include "host/base/result.h"
#include "host/base/time.h"
#include "host/ports/logger.h"

namespace host::kafka {

struct Options {
  std::string brokers;  // "host:port,host:port"
  /// More settings of librdkafka: TLS, SASL. They win over ours.
  std::vector<std::pair<std::string, std::string>> settings = {};
  std::string client_id = "host";
  std::string group = "host";  // nobody joins it: offsets are mirrored there for lag tools
  ports::Logger* logger = nullptr;
  Duration answer_within = std::chrono::seconds(10);    // of metadata and of changes to topics
  std::size_t read_ahead_bytes = std::size_t{4} << 20;  // of a partition that is read
};

/// A configuration with what all clients have in common, to which a client's own settings are
/// added.
class Conf {
 public:
  Conf(const Options& options, const std::vector<std::pair<std::string, std::string>>& own);
  rd_kafka_conf_t* get() const { return handle_.get(); }
  /// Makes the client; its log lines go to the logger, `opaque` to its callbacks. Errors: invalid
  /// (a setting that librdkafka does not know or take: named).
  Result<ClientHandle> make(rd_kafka_type_t type);

 private:
  ConfHandle handle_;
  std::string problem_;  // of the first setting that was refused
};

}  // namespace host::kafka
