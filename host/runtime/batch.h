#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/runtime/item.h"

namespace host::runtime {

/// One commit of a shard and what it was made of, so that its answer can be carried out.
/// Only on its lane.
struct Batch {
  std::shared_ptr<ports::ShardCommit> commit = std::make_shared<ports::ShardCommit>();
  std::vector<ItemPtr> finished;              // in the order of their units
  std::vector<ItemPtr> parked;                // their rows are made by it
  std::vector<ItemPtr> updated;               // their rows were there and are brought up to date
  std::vector<ItemPtr> sql_items;             // the item of commit.units[i]
  std::vector<Item*> state_items;             // whose state commit.states[i] is: one of `finished`
  std::map<TopicInput*, std::size_t> passed;  // how many of the head of its queue
  std::map<std::pair<std::string, std::string>, std::size_t> mark_index;
  std::size_t bytes = 0;
  std::size_t refused = 0;  // of the shard's dead letters by the log, from the front
  std::int64_t seq_before = 0;
  Time begun{};
};

}  // namespace host::runtime
