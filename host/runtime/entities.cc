#include "host/runtime/entities.h"

#include "host/base/check.h"
#include "host/runtime/recycled.h"

namespace host::runtime {
namespace {

bool runs(const Entity& entity) {
  return entity.box != nullptr && !entity.box->queue.empty() &&
         entity.box->queue.front()->phase == Item::Phase::running;
}

}  // namespace

std::size_t Entities::size_of(const Entity& entity) {
  return entity.name.size() + 200 + (entity.state->bytes ? entity.state->bytes->size() : 0);
}

Entity& Entities::with_box(const std::string& name) {
  const auto [found, fresh] = entities_.try_emplace(name);
  Entity& entity = found->second;
  if (fresh) entity.name = found->first;
  if (entity.box == nullptr) {
    entity.box = make_mailbox();
    entity.box->entity = &entity;
  }
  return entity;
}

Entity* Entities::find(const std::string& name) {
  const auto found = entities_.find(name);
  return found == entities_.end() ? nullptr : &found->second;
}

void Entities::drop_box(Entity& entity) {
  entity.box.reset();
  drop_if_empty(entity);
}

void Entities::drop_if_empty(Entity& entity) {
  // One that is counted goes when its turn to be forgotten comes.
  if (entity.box != nullptr || entity.state || entity.counted) return;
  entities_.erase(entities_.find(std::string(entity.name)));
}

void Entities::count(Entity& entity) {
  if (!std::exchange(entity.counted, true)) order_.push_back(&entity);
  bytes_ += size_of(entity);
}

void Entities::loaded(Entity& entity, ports::StateRow row) {
  if (entity.state) return;  // a handler was faster than the store: its state is the newer one
  // What was there before makes room, not this one: who asked for it has not run yet.
  evict();
  entity.state = std::move(row);
  count(entity);
}

std::optional<ports::StateRow> Entities::executed(Entity& entity, ports::StateRow row) {
  if (entity.state) bytes_ -= size_of(entity);
  std::optional<ports::StateRow> before = std::exchange(entity.state, std::move(row));
  ++entity.uncommitted;
  count(entity);
  return before;
}

void Entities::committed(Entity& entity) {
  HOST_DCHECK(entity.uncommitted > 0, "a state was committed more often than executed");
  --entity.uncommitted;
  evict();
}

void Entities::rolled_back(Entity& entity, std::optional<ports::StateRow> before) {
  HOST_CHECK(entity.state && entity.uncommitted > 0, "a state was rolled back that nobody changed");
  HOST_DCHECK(before || entity.uncommitted == 1, "a state that was forgotten had changes");
  bytes_ -= size_of(entity);
  --entity.uncommitted;
  entity.state = std::move(before);
  if (entity.state) bytes_ += size_of(entity);
}

void Entities::clear() {
  entities_.clear();
  order_.clear();
  bytes_ = 0;
}

void Entities::evict() {
  // One round over the queue at most: what is in use goes to the back.
  for (std::size_t rounds = order_.size(); bytes_ > clean_bytes_ && rounds > 0; --rounds) {
    Entity& entity = *order_.front();
    order_.pop_front();
    if (entity.uncommitted > 0 || runs(entity)) {
      order_.push_back(&entity);
      continue;
    }
    if (entity.state) bytes_ -= size_of(entity);
    entity.state.reset();
    entity.counted = false;
    drop_if_empty(entity);
  }
}

}  // namespace host::runtime
