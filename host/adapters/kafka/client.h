#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/adapters/kafka/handles.h"
#include "host/adapters/kafka/options.h"
#include "host/base/result.h"

namespace host::kafka {

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
