#include "host/runtime/plugin_code.h"

#include <utility>

namespace host::runtime {

Result<std::unique_ptr<PluginCode>> PluginCode::make(
    std::shared_ptr<const ports::Revision> revision) {
  Result<std::unique_ptr<ports::Engine>> engine = revision->make_engine();
  if (!engine) return engine.error();
  std::unique_ptr<PluginCode> code(new PluginCode(std::move(revision)));
  code->current_ = std::move(*engine);
  return code;
}

Result<void> PluginCode::publish(std::shared_ptr<const ports::Revision> revision) {
  Result<std::unique_ptr<ports::Engine>> engine = revision->make_engine();
  if (!engine) return engine.error();
  drop_previous();
  previous_ = std::exchange(current_, std::move(*engine));
  revision_ = std::move(revision);
  return {};
}

void PluginCode::drop_previous() {
  if (previous_) drop(std::exchange(previous_, nullptr), false);
}

void PluginCode::drop(const std::shared_ptr<ports::Engine>& engine, bool alone) {
  const auto droppers = droppers_;  // a dropper may unregister itself
  for (const auto& [id, dropper] : droppers) dropper(engine.get(), alone);
}

int PluginCode::on_drop(Dropper dropper, Room room) {
  droppers_.emplace_back(next_dropper_, std::move(dropper));
  if (room) rooms_.emplace_back(next_dropper_, std::move(room));
  return next_dropper_++;
}

void PluginCode::forget_dropper(int id) {
  std::erase_if(droppers_, [id](const auto& entry) { return entry.first == id; });
  std::erase_if(rooms_, [id](const auto& entry) { return entry.first == id; });
}

bool PluginCode::may_start(bool alone) {
  if (alone && running_ > 0) alone_waits_ = true;
  const bool may = !alone_running_ && !(alone_waits_ && running_ > 0) && current_->admits();
  if (!may) refused_ = true;
  return may;
}

void PluginCode::started(const ports::Engine*, bool alone) {
  ++running_;
  if (alone) alone_running_ = true;
  alone_waits_ = false;  // it asks again, if it is still there
}

void PluginCode::ended(const ports::Engine*, bool alone) {
  --running_;
  if (alone) alone_running_ = false;
  if (!std::exchange(refused_, false)) return;
  for (const auto& [id, room] : rooms_) room();
}

Result<void> PluginCode::check(const ports::Engine* engine) {
  if (!engine->broken()) return {};
  if (previous_ && engine == previous_.get()) {
    drop_previous();
    return {};
  }
  if (engine != current_.get()) return {};  // replaced already
  Result<std::unique_ptr<ports::Engine>> fresh = revision_->make_engine();
  if (!fresh) return fresh.error();
  drop(std::exchange(current_, std::shared_ptr<ports::Engine>(std::move(*fresh))), true);
  return {};
}

std::vector<std::pair<std::string, std::size_t>> PluginCode::memory_bytes() const {
  std::vector<std::pair<std::string, std::size_t>> out;
  for (const auto* engine : {&current_, &previous_}) {
    if (*engine) out.emplace_back((*engine)->manifest().revision, (*engine)->memory_bytes());
  }
  return out;
}

}  // namespace host::runtime
