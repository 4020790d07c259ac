#include "host/runtime/http_call.h"

#include "host/base/digest.h"
#include "host/runtime/asks.h"
#include "host/runtime/effects.h"
#include "host/runtime/random_id.h"
#include "host/runtime/records.h"

namespace host::runtime {
namespace {

constexpr std::size_t kPartBytes = 64u << 10;
constexpr std::size_t kPageBytes = 64u << 10;

ports::HttpOutcome failure(int status, const Error& error, Headers headers = {}) {
  ports::HttpOutcome outcome;
  outcome.response = problem(status, error.message, {}, std::move(headers));
  outcome.failed = true;
  outcome.error = error;
  return outcome;
}

}  // namespace

HttpCall::HttpCall(const Environment& environment, Executor& lane, PluginCode& code,
                   Duration timeout, Done done)
    : env_(environment),
      lane_(lane),
      code_(code),
      plugin_(code.manifest().name),
      timeout_(timeout),
      done_(std::move(done)) {}

HttpCall::~HttpCall() { end(); }

void HttpCall::measure(std::shared_ptr<HttpMeter> meter, std::string route) {
  meter_ = std::move(meter);
  route_ = std::move(route);
}

void HttpCall::start(ports::Call&& call, std::string once) {
  once_ = std::move(once);
  headers_.reserve(3);
  headers_.emplace_back(header::kCorrelation, call.correlation_id);
  headers_.emplace_back(header::kRevision, code_.manifest().revision);
  if (const std::string* trace = find_header(call.request.headers, header::kTrace)) {
    headers_.emplace_back(header::kTrace, *trace);
  }
  if (!code_.may_start(false)) {
    finish(failure(503, retryable_error(Error::Code::exhausted, "too many requests are running"),
                   {{"retry-after", "1"}}));
    return;
  }
  engine_ = code_.engine();
  code_.started(engine_.get(), false);
  const std::shared_ptr<ports::Engine> engine = engine_;
  ports::Engine::Started started = [&] {
    const Turn turn(turn_seconds_);
    return engine->start(std::move(call));
  }();
  task_ = std::move(started.task);
  if (task_) watch();
  on_step(std::move(started.step));
}

/// A call that the first turn ended, as most do, needs neither.
void HttpCall::watch() {
  dropper_ = code_.on_drop([weak = weak_from_this()](const ports::Engine* engine, bool) {
    const auto self = weak.lock();
    if (!self || self->engine_.get() != engine) return;
    self->finish(failure(
        503, retryable_error(Error::Code::unavailable, "the plugin's code was replaced meanwhile"),
        {{"retry-after", "1"}}));
  });
  arm_deadline();
}

void HttpCall::disarm_deadline() {
  if (deadline_ != 0) lane_.cancel(std::exchange(deadline_, 0));
}

void HttpCall::arm_deadline() {
  disarm_deadline();
  deadline_ = lane_.post_after(timeout_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->finish(failure(504, make_error(Error::Code::timeout, "the handler took too long")));
    }
  });
}

void HttpCall::on_step(ports::Step&& step) {
  const std::shared_ptr<ports::Engine> engine = engine_;
  const auto self = shared_from_this();
  if (step.http && step.http->in_parts && task_) {
    head_ = std::move(*step.http);
    // In a turn of its own: the handler's is over.
    lane_.post([self] {
      if (self->task_) self->on_step(self->part_turn());
    });
  } else if (step.http) {
    finish(std::move(*step.http));
  } else if (step.part) {
    took_part(std::move(*step.part));
  } else if (step.finished()) {
    finish(failure(500, make_error(Error::Code::internal, "a handler ended as something else")));
  } else {
    for (ports::Effect& effect : step.effects) begin_effect(std::move(effect));
  }
  after_turn(engine.get());
}

/// The first part makes the answer, so that an iterator that fails at once is a plain 500, and a
/// short answer a plain one.
void HttpCall::took_part(ports::BodyPart part) {
  if (head_) {
    ports::HttpOutcome outcome = std::move(*std::exchange(head_, std::nullopt));
    outcome.in_parts = !part.last;
    outcome.response.body = std::move(part.bytes);
    if (part.last) return finish(std::move(outcome));
    disarm_deadline();
    if (Done done = std::exchange(done_, nullptr)) done(shared_from_this(), std::move(outcome));
    return;
  }
  disarm_deadline();
  if (part.last) end();
  if (PartCallback callback = std::exchange(part_, nullptr)) callback(std::move(part));
}

void HttpCall::next_part(PartCallback callback) {
  if (!task_) {  // its code was replaced while the client took the part before
    return callback(
        make_error(Error::Code::unavailable, "the plugin's code was replaced meanwhile"));
  }
  const auto self = shared_from_this();
  part_ = std::move(callback);
  arm_deadline();
  on_step(part_turn());
}

ports::Step HttpCall::part_turn() {
  const Turn turn(turn_seconds_);
  return task_->next_part(kPartBytes);
}

void HttpCall::after_turn(const ports::Engine* engine) {
  if (Result<void> checked = code_.check(engine); !checked) {
    env_.logger.log(ports::LogLevel::error, "the plugin cannot be loaded any more",
                    {{"plugin", plugin_}, {"error", checked.error().to_string()}});
  }
}

void HttpCall::begin_effect(ports::Effect effect) {
  auto resume = [self = shared_from_this(), id = effect.id](ports::EffectAnswer answer) {
    if (!self->task_) return;
    ports::Step step = [&] {
      const Turn turn(self->turn_seconds_);
      return self->task_->resume(id, std::move(answer));
    }();
    self->on_step(std::move(step));
  };
  if (auto* query = std::get_if<ports::QueryEffect>(&effect.what)) {
    Effects::query(env_, plugin_, std::move(*query), lane_, std::move(resume));
  } else if (auto* read = std::get_if<ports::ReadEffect>(&effect.what)) {
    Effects::read(env_, plugin_, std::move(*read), lane_, std::move(resume));
  } else if (auto* list = std::get_if<ports::ListEffect>(&effect.what)) {
    Effects::list(env_, plugin_, std::move(*list), lane_, std::move(resume));
  } else if (auto* question = std::get_if<ports::AskEffect>(&effect.what)) {
    ask(std::move(*question), std::move(resume));
  } else if (auto* wanted = std::get_if<ports::RowsEffect>(&effect.what)) {
    rows(std::move(*wanted), std::move(resume));
  } else {
    lane_.post([resume = std::move(resume)]() mutable { resume(std::monostate{}); });
  }
}

void HttpCall::rows(ports::RowsEffect effect, UniqueFunction<void(ports::EffectAnswer)> resume) {
  if (effect.cursor != 0) return next_page(effect.cursor, std::move(resume));
  env_.store.rows(plugin_, std::move(effect.statement), lane_,
                  [self = shared_from_this(), resume = std::move(resume)](auto cursor) mutable {
                    if (!cursor) return resume(std::move(cursor).error());
                    if (!self->task_) return;
                    self->cursors_.emplace(++self->last_cursor_, std::move(*cursor));
                    self->next_page(self->last_cursor_, std::move(resume));
                  });
}

void HttpCall::next_page(std::uint64_t cursor, UniqueFunction<void(ports::EffectAnswer)> resume) {
  const auto found = cursors_.find(cursor);
  if (found == cursors_.end()) {
    return resume(make_error(Error::Code::internal, "the rows were read to their end"));
  }
  // The cursor is this call's own, and drops the callback with itself.
  found->second->next(
      kPageBytes, [this, cursor, resume = std::move(resume)](Result<ports::RowsPage> page) mutable {
        const auto self = shared_from_this();
        if (!page) return resume(std::move(page).error());
        if (page->last) cursors_.erase(cursor);
        resume(ports::RowsAnswer{std::move(page->rows), page->last ? 0 : cursor});
      });
}

/// In a request that may be repeated its n-th question to a key is the same one every time.
std::string HttpCall::ask_id(const ports::AskEffect& question) {
  if (once_.empty()) return random_id(env_.chance);
  std::string text = "ask" + std::to_string(++asked_);
  for (const std::string& part : {question.message.topic, question.message.key.value_or("")}) {
    text += " " + std::to_string(part.size()) + ":" + part;
  }
  const Digest digest = hmac_sha256(once_, text);
  return to_hex(digest.data(), 16);
}

void HttpCall::ask(ports::AskEffect question, UniqueFunction<void(ports::EffectAnswer)> resume) {
  const std::string id = ask_id(question);
  asks_.insert(id);
  env_.asks.wait(id, question.timeout, lane_,
                 [self = shared_from_this(), id,
                  resume = std::move(resume)](Result<std::string> reply) mutable {
                   self->asks_.erase(id);
                   if (reply) {
                     resume(std::move(*reply));
                   } else {
                     resume(std::move(reply).error());
                   }
                 });
  if (once_.empty()) return send_question(id, std::move(question));
  // Whoever came first may have its reply already. What is committed from here on is told to us.
  env_.store.load_replies(
      {id}, lane_,
      [self = shared_from_this(), id, question = std::move(question)](auto replies) mutable {
        if (!self->asks_.contains(id)) return;
        if (!replies) return self->env_.asks.fail(id, std::move(replies).error());
        std::optional<std::string>& reply = replies->front();
        if (reply) return self->env_.asks.reply(id, std::move(*reply));
        self->send_question(id, std::move(question));
      });
}

/// At once, as a unit of its own; a timeout does not take it back.
void HttpCall::send_question(const std::string& id, ports::AskEffect question) {
  Headers headers = headers_;
  set_header(headers, header::kAsk, id);
  if (!once_.empty()) set_header(headers, header::kAskOnce, "1");
  std::vector<ports::Append> records{
      make_record(env_, question.message, headers, static_cast<std::int64_t>(id.back()))};
  auto appended = [&asks = env_.asks, id, meter = meter_, topic = records.front().topic,
                   bytes = records.front().payload.size()](auto result) {
    if (!result) {
      asks.fail(id, result.error());
    } else if (!result->front()) {
      asks.fail(id, result->front().error());
    } else if (meter) {
      meter->sent.count_now(topic, bytes);
    }
  };
  env_.log.append(std::move(records), lane_, std::move(appended));
}

void HttpCall::cancel() {
  done_ = nullptr;
  part_ = nullptr;
  head_.reset();
  end();
}

void HttpCall::end() {
  disarm_deadline();
  if (dropper_ != 0) code_.forget_dropper(std::exchange(dropper_, 0));
  for (const std::string& id : std::exchange(asks_, {})) env_.asks.forget(id);
  cursors_.clear();
  task_.reset();
  if (!engine_) return;
  code_.ended(std::exchange(engine_, nullptr).get(), false);
  if (meter_ != nullptr) meter_->handlers.count_now("route", route_, turn_seconds_);
}

void HttpCall::finish(ports::HttpOutcome&& outcome) {
  end();
  if (PartCallback callback = std::exchange(part_, nullptr)) {
    Error error = outcome.failed ? std::move(outcome.error)
                                 : make_error(Error::Code::unavailable, "the host is too busy");
    return callback(std::move(error));
  }
  if (Done done = std::exchange(done_, nullptr)) done(shared_from_this(), std::move(outcome));
}

}  // namespace host::runtime
