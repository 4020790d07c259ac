#include "host/runtime/asks.h"

namespace host::runtime {

void Asks::wait(std::string id, Duration timeout, Executor& executor, Callback callback) {
  const Executor::TimerId timer = executor.post_after(timeout, [this, id] {
    answer(id, retryable_error(Error::Code::timeout, "no reply came in time"));
  });
  const std::lock_guard lock(mutex_);
  open_.emplace(std::move(id), Open{&executor, timer, std::move(callback)});
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
