#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/base/time.h"
#include "host/ports/logger.h"

namespace host::kafka {

struct Options {
  std::string brokers;  // "host:port,host:port"
  /// More settings of librdkafka: TLS, SASL. They win over ours.
  std::vector<std::pair<std::string, std::string>> settings = {};
  std::string client_id = "host";
  std::string group = "host";  // how consumer groups begin; nobody joins them, see Mirror
  ports::Logger* logger = nullptr;
  Duration answer_within = std::chrono::seconds(10);    // of metadata and of changes to topics
  std::size_t waiting_bytes = std::size_t{256} << 20;   // of appends; above it, no more are taken
  std::size_t read_ahead_bytes = std::size_t{4} << 20;  // of a partition that is read
  std::size_t most_readers = 64;  // from so many places one partition is read at once
};

}  // namespace host::kafka
