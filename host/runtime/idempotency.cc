#include "host/runtime/idempotency.h"

namespace host::runtime {
namespace {

constexpr std::size_t kMostKept = 64u << 10;  // bytes of a body

HttpResponse other_request() {
  return problem(422,
                 "this Idempotency-Key came before with another request: a new request needs a new "
                 "key");
}

}  // namespace

std::shared_ptr<Idempotency::Attempt> Idempotency::begin(const Environment& environment,
                                                         Executor& lane, Request request,
                                                         Callback callback) {
  auto attempt = std::make_shared<Attempt>(shared_from_this(), environment, lane,
                                           std::move(request), std::move(callback));
  lane.post([weak = std::weak_ptr<Attempt>(attempt)] {
    if (const auto self = weak.lock()) self->start();
  });
  return attempt;
}

Idempotency::Entered Idempotency::enter(Attempt& attempt) {
  const Request& request = attempt.request_;
  const std::lock_guard lock(mutex_);
  const auto [place, first] =
      running_.try_emplace(request.scope, Running{&attempt, request.content, {}});
  if (first) return Entered::first;
  if (place->second.content != request.content) return Entered::differs;
  place->second.waiting.push_back({&attempt, &attempt.lane_, attempt.weak_from_this()});
  return Entered::waits;
}

// Who waits starts again: the first of them looks up what came of this one. They are posted under
// the lock: until their destructors have it, their lanes are there.
void Idempotency::leave(const Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  const auto place = running_.find(attempt.request_.scope);
  if (place == running_.end()) return;
  std::vector<Waiter>& waiting = place->second.waiting;
  if (place->second.owner != &attempt) {
    std::erase_if(waiting, [&](const Waiter& waiter) { return waiter.attempt == &attempt; });
    return;
  }
  for (const Waiter& waiter : waiting) {
    waiter.lane->post([weak = waiter.weak] {
      if (const auto self = weak.lock()) self->start();
    });
  }
  running_.erase(place);
}

Idempotency::Attempt::Attempt(std::shared_ptr<Idempotency> all, const Environment& environment,
                              Executor& lane, Request request, Callback callback)
    : all_(std::move(all)),
      env_(environment),
      lane_(lane),
      request_(std::move(request)),
      callback_(std::move(callback)) {}

Idempotency::Attempt::~Attempt() {
  lane_.cancel(deadline_);
  all_->leave(*this);
}

void Idempotency::Attempt::start() {
  if (!callback_) return;  // told to come again
  switch (all_->enter(*this)) {
    case Entered::first:
      return look_up();
    case Entered::waits:
      return wait();
    case Entered::differs:
      return decide(other_request());
  }
}

void Idempotency::Attempt::wait() {
  if (deadline_ != 0) return;  // not for the first time
  deadline_ = lane_.post_after(kWait, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->callback_) return;
    self->decide(problem(409, "the first request with this Idempotency-Key still runs", {},
                         {{"retry-after", "1"}}));
  });
}

void Idempotency::Attempt::look_up() {
  lane_.cancel(deadline_);
  env_.store.kept_answer(request_.plugin, request_.scope, env_.clock.now(), lane_,
                         [weak = weak_from_this()](auto kept) {
                           if (const auto self = weak.lock()) self->looked_up(std::move(kept));
                         });
}

void Idempotency::Attempt::looked_up(Result<std::optional<ports::KeptAnswer>> kept) {
  if (!kept) {
    decide(problem(503, kept.error().message, {}, {{"retry-after", "1"}}));
  } else if (!*kept) {
    decide(Run{});
  } else if ((*kept)->request != request_.content) {
    decide(other_request());
  } else {
    decide(std::move(**kept));
  }
}

void Idempotency::Attempt::decide(Verdict verdict) {
  const auto self = shared_from_this();  // the callback may let go of it
  if (Callback callback = std::exchange(callback_, nullptr)) callback(std::move(verdict));
}

ports::KeptAnswer Idempotency::Attempt::answer(const HttpResponse& response, bool in_parts) const {
  ports::KeptAnswer kept{.scope = request_.scope,
                         .request = request_.content,
                         .response = {.status = response.status, .headers = {}, .body = {}},
                         .whole = !in_parts && response.body.size() <= kMostKept,
                         .until = env_.clock.now() + env_.limits.keep_answers};
  if (kept.whole) kept.response = response;
  return kept;
}

}  // namespace host::runtime
