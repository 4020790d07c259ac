#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "host/ports/store.h"
#include "host/runtime/item.h"

namespace host::runtime {

/// What a shard has in memory of one key: its messages while there are any, and its state as the
/// last executed message left it, where it is known. It stays where it is while it has either.
struct Entity {
  MailboxPtr box;                        // null: no message of it is here
  std::optional<ports::StateRow> state;  // nothing: the store must be asked
  int uncommitted = 0;                   // changes of its state that wait for a commit
  bool counted = false;                  // among those that may be forgotten
  std::string_view name;                 // the key, or a private one without a key
};

/// The keys of a shard. Of their states, what was executed covers what is committed, which covers
/// what the store holds. Every read and every commit of a shard goes through it, so that what lies
/// behind is nobody else's concern. States without uncommitted changes may be forgotten at any time
/// while no handler runs on them, and are read again. Legal while the epoch is held. Only on its
/// lane.
class Entities {
 public:
  explicit Entities(std::size_t clean_bytes) : clean_bytes_(clean_bytes) {}

  /// The entity with its mailbox; both are made where there are none.
  Entity& with_box(const std::string& name);
  /// Or null.
  Entity* find(const std::string& name);
  /// Its last message is gone: the mailbox goes, and the entity, unless its state is known.
  void drop_box(Entity& entity);

  void loaded(Entity& entity, ports::StateRow row);
  /// A handler changed it; it stays until committed() or rolled_back() was called as often. What
  /// the state was before, as rolled_back() wants it.
  std::optional<ports::StateRow> executed(Entity& entity, ports::StateRow row);
  /// The entity may be gone afterwards.
  void committed(Entity& entity);
  /// Takes a change back. `before` is what executed() gave: nothing where the store has it.
  void rolled_back(Entity& entity, std::optional<ports::StateRow> before);
  void clear();

 private:
  void count(Entity& entity);
  void evict();
  void drop_if_empty(Entity& entity);
  static std::size_t size_of(const Entity& entity);

  std::size_t clean_bytes_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, Entity> entities_;
  std::deque<Entity*> order_;  // of arrival; forgotten from the front
};

}  // namespace host::runtime
