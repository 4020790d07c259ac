#include "host/runtime/asks.h"

namespace host::runtime {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(20);

}  // namespace

void Asks::look_in(ports::Store& store, Executor& executor) {
  const std::lock_guard lock(mutex_);
  looking_ = std::make_shared<Looking>(Looking{store, executor});
  look_planned_ = false;
  look_soon();
}

void Asks::look_no_more() {
  const std::lock_guard lock(mutex_);
  looking_.reset();
}

/// With the lock: whoever ends the looking ends the executor afterwards.
void Asks::look_soon() {
  if (!looking_ || look_planned_ || open_.empty()) return;
  look_planned_ = true;
  looking_->executor.post_after(kLookEvery,
                                [this, looking = std::weak_ptr(looking_)] { look(looking); });
}

void Asks::look(const std::weak_ptr<Looking>& looking) {
  std::vector<std::string> ids;
  std::shared_ptr<Looking> now;
  {
    const std::lock_guard lock(mutex_);
    now = looking.lock();
    if (!now || now != looking_) return;
    for (const auto& [id, open] : open_) ids.push_back(id);
    if (ids.empty()) {
      look_planned_ = false;
      return;
    }
  }
  now->store.load_replies(ids, now->executor, [this, looking, ids](auto replies) {
    if (!looking.expired()) looked(ids, std::move(replies));
  });
}

/// A store that is away now has the replies later.
void Asks::looked(const std::vector<std::string>& ids,
                  Result<std::vector<std::optional<std::string>>> replies) {
  for (std::size_t i = 0; replies.ok() && i < ids.size(); ++i) {
    if ((*replies)[i]) reply(ids[i], std::move(*(*replies)[i]));
  }
  const std::lock_guard lock(mutex_);
  look_planned_ = false;
  look_soon();
}

void Asks::wait(std::string id, Duration timeout, Executor& executor, Callback callback) {
  const Executor::TimerId timer = executor.post_after(timeout, [this, id] {
    answer(id, retryable_error(Error::Code::timeout, "no reply came in time"));
  });
  const std::lock_guard lock(mutex_);
  open_.emplace(std::move(id), Open{&executor, timer, std::move(callback)});
  look_soon();
}

void Asks::forget(const std::string& id) {
  Open dropped;  // destroyed after the lock: it may own what calls us
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  dropped = std::move(found->second);
  open_.erase(found);
}

void Asks::reply(const std::string& id, std::string payload) { answer(id, std::move(payload)); }

void Asks::fail(const std::string& id, Error error) { answer(id, std::move(error)); }

void Asks::answer(const std::string& id, Result<std::string> with) {
  Open open;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    open = std::move(found->second);
    open_.erase(found);
  }
  Executor& executor = *open.executor;
  executor.post([&executor, open = std::move(open), with = std::move(with)]() mutable {
    executor.cancel(open.timer);
    open.callback(std::move(with));
  });
}

}  // namespace host::runtime
