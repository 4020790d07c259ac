#pragma once

#include <string>
#include <vector>

#include "host/ports/store.h"
#include "host/runtime/reloader.h"
#include "host/runtime/shard.h"

namespace host::app {

/// The JSON documents of the admin API and of `host check --json`.
std::string problems_document(const Problems& problems);
std::string plugins_document(const std::vector<runtime::Reloader::Status>& plugins);
std::string shards_document(const std::vector<runtime::ShardStatus>& shards, Time now);
/// Without payloads. The state of a letter is "dead", or "stopped" where retry.last = "stop" holds
/// it.
std::string dead_list_document(const ports::DeadList& list);
std::string dead_document(const ports::DeadLetter& letter);

struct Away {
  std::string name;
  std::string why;
};
std::string ready_document(const std::vector<Away>& away);

}  // namespace host::app
