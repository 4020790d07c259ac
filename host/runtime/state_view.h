#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "host/ports/store.h"

namespace host::runtime {

/// The shard's states as its handlers left them: what was executed covers what is committed, which
/// covers what the store's tables hold. Every read and every commit of a shard goes through it, so
/// that what lies behind (rows today, journal and checkpoint later) is nobody else's concern.
/// Clean entries may be forgotten at any time and are read again. Legal while the epoch is held.
/// Only on its lane.
class StateView {
 public:
  explicit StateView(std::size_t clean_bytes) : clean_bytes_(clean_bytes) {}

  /// The state as the last executed message left it, or null when the store must be asked.
  const ports::StateRow* find(const std::string& key) const;
  void loaded(const std::string& key, ports::StateRow row);
  /// A handler changed it; the entry stays until committed() or rolled_back() was called as often.
  /// What find() gave before, as rolled_back() wants it.
  std::optional<ports::StateRow> executed(const std::string& key, ports::StateRow row);
  void committed(const std::string& key);
  /// Takes a change back. `before` is what find() gave when it was made, or nothing where that was
  /// null: then the store has it.
  void rolled_back(const std::string& key, std::optional<ports::StateRow> before);
  void clear();

 private:
  struct Entry {
    ports::StateRow row;
    int uncommitted = 0;
  };
  void evict();
  static std::size_t size_of(const std::string& key, const Entry& entry);

  std::size_t clean_bytes_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::string> order_;  // of arrival; evicted from the front
};

}  // namespace host::runtime
