// How requests are answered: what they send first, then the answer, whole or in parts.
#include "host/core/http_cache.h"
#include "host/runtime/body_stream.h"
#include "host/runtime/gateway.h"
#include "host/runtime/http_call.h"
#include "host/runtime/records.h"
#include "host/runtime/sabotage.h"

namespace host::runtime {
namespace {

/// How a unit that could not be sent is answered. A timeout leaves its outcome unknown.
HttpResponse not_sent(const Error& error) {
  if (error.code == Error::Code::conflict) {
    return problem(409, error.message, {}, {{"retry-after", "1"}});
  }
  if (error.code == Error::Code::invalid) return problem(500, error.message);
  return problem(503,
                 error.code == Error::Code::timeout ? "the outcome is unknown: " + error.message
                                                    : error.message,
                 {}, {{"retry-after", "1"}});
}

}  // namespace

const Gateway::Counted& Gateway::series_of(const std::string& plugin, const std::string& route,
                                           int status) {
  const auto known =
      counted_.find(std::tuple(std::string_view(plugin), std::string_view(route), status));
  if (known != counted_.end()) return known->second;
  const ports::Labels labels{
      {"plugin", plugin}, {"route", route}, {"status", std::to_string(status)}};
  const Counted made{env_.metrics.counter("host_http_requests_total", labels),
                     env_.metrics.histogram("host_http_request_seconds", labels)};
  return counted_.emplace(std::tuple(plugin, route, status), made).first->second;
}

void Gateway::count(const Asked& asked, int status) {
  const Counted& series = series_of(asked.plugin.code->manifest().name, asked.route, status);
  series.requests.add(1);
  const auto took = std::max(Duration::zero(), env_.clock.now() - asked.began);
  series.seconds.observe(static_cast<double>(took.count()) / 1e6);
}

void Gateway::answered(const Asked& asked, ports::HttpOutcome&& outcome,
                       std::shared_ptr<HttpCall> call,
                       std::unique_ptr<ports::HttpResponder> responder) {
  HttpResponse& response = outcome.response;
  const Headers& headers = call->headers();
  if (find_header(response.headers, header::kCorrelation) == nullptr) {
    response.headers.emplace_back(header::kCorrelation, headers.front().second);
  }
  if (outcome.failed) {
    env_.logger.log(ports::LogLevel::error, "the handler of a request failed",
                    {{"plugin", asked.plugin.code->manifest().name},
                     {"route", asked.route},
                     {"error", outcome.error.to_string()},
                     {"correlation_id", headers.front().second},
                     {"revision", asked.plugin.code->manifest().revision}});
  }
  std::vector<Emit> emits = std::exchange(outcome.unit.emits, {});
  // With an Idempotency-Key a repeat of what failed is a new try: nothing of it is sent.
  const bool once = asked.attempt && !outcome.failed && response.status < 500;
  if (asked.attempt && !once) emits.clear();
  if (outcome.failed || (emits.empty() && !once)) {
    return send(asked, std::move(outcome), std::move(call), std::move(responder));
  }
  const bool alone = emits.size() == 1 && !once;
  std::optional<ports::KeptAnswer> answer;
  if (once) answer = asked.attempt->answer(response, outcome.in_parts);
  auto sent = [this, asked, outcome = std::move(outcome), call,
               responder = std::move(responder)](Result<void> result) mutable {
    if (!result) {
      if (outcome.in_parts) call->cancel();
      outcome = {};
      outcome.response = not_sent(result.error());
    }
    send(asked, std::move(outcome), std::move(call), std::move(responder));
  };
  if (!alone) {
    asked.plugin.door->send(std::move(emits), headers, std::move(answer), std::move(sent));
    return;
  }
  const auto spread = static_cast<std::int64_t>(to_micros(env_.clock.now()) & 0xffff);
  append(asked, make_record(env_, emits.front(), headers, spread), std::move(sent));
}

void Gateway::append(const Asked& asked, ports::Append record,
                     UniqueFunction<void(Result<void>)> sent) {
  std::vector<ports::Append> records{std::move(record)};
  if (sabotage::kAnswerBeforeCommit) {
    lane_.post_after(std::chrono::milliseconds(20), [this, records]() mutable {
      env_.log.append(std::move(records), lane_, [](auto) {});
    });
    return sent({});
  }
  // The log answers when its brokers do, which may be never; who waits is told before.
  const auto waiting = std::make_shared<UniqueFunction<void(Result<void>)>>(std::move(sent));
  const auto tell = [waiting](Result<void> result) {
    if (auto told = std::exchange(*waiting, nullptr)) told(std::move(result));
  };
  const Executor::TimerId deadline = lane_.post_after(asked.timeout, [tell] {
    tell(make_error(Error::Code::timeout, "the log has not answered in time"));
  });
  auto appended = [&lane = lane_, tell, deadline, meter = asked.plugin.meter,
                   topic = records.front().topic,
                   bytes = records.front().payload.size()](auto result) {
    lane.cancel(deadline);
    if (!result) return tell(result.error());
    const Result<Offset>& answer = result->front();
    if (answer) meter->sent.count_now(topic, bytes);
    if (answer) return tell({});
    if (answer.error().retryable) return tell(answer.error());
    // For good: no repeat helps, so it is no 503.
    tell(make_error(Error::Code::invalid, "the log refused the message"));
  };
  env_.log.append(std::move(records), lane_, std::move(appended));
}

void Gateway::send(const Asked& asked, ports::HttpOutcome&& outcome, std::shared_ptr<HttpCall> call,
                   std::unique_ptr<ports::HttpResponder> responder) {
  HttpResponse& response = outcome.response;
  for (const auto& [name, value] : asked.more) set_header(response.headers, name, value);
  if (asked.cache && response.status == 200) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(asked.cache->max_age);
    if (find_header(response.headers, "cache-control") == nullptr) {
      set_header(response.headers, "cache-control",
                 cache_control(age.count(), asked.cache->shared));
    }
    if (!outcome.in_parts) answer_if_changed(*asked.request, response);
  }
  count(asked, response.status);
  if (!outcome.in_parts) {
    responder->respond(std::move(response));
    return;
  }
  std::string first = std::move(response.body);
  std::shared_ptr<ports::HttpStream> out =
      responder->stream(std::move(response), ports::HttpResponder::Body::whole);
  auto holder = std::make_shared<std::weak_ptr<BodyStream>>();
  auto body = std::make_shared<BodyStream>(
      env_,
      BodyStream::Names{.plugin = asked.plugin.code->manifest().name,
                        .route = asked.route,
                        .revision = asked.plugin.code->manifest().revision,
                        .correlation_id = call->headers().front().second},
      std::move(call), std::move(out), [this, holder] {
        if (const auto ended = holder->lock()) bodies_.erase(ended);
      });
  *holder = body;
  bodies_.insert(body);
  body->start(std::move(first));
}

}  // namespace host::runtime
