// Requests that carry an Idempotency-Key: a repeat is given the answer that the first one got.
#include <algorithm>

#include "host/base/digest.h"
#include "host/runtime/gateway.h"
#include "host/runtime/http_call.h"

namespace host::runtime {
namespace {

constexpr const char* kKey = "idempotency-key";
constexpr std::size_t kLongestKey = 255;

/// Why this route or this key cannot be had; nothing: they can.
std::optional<HttpResponse> refusal(const Manifest::Route& route, const HttpRequest& request) {
  const std::string& method = request.method;
  if (route.stream || route.files || method == "GET" || method == "HEAD") {
    return problem(400, "an Idempotency-Key goes with POST, PUT, PATCH and DELETE");
  }
  const auto given = std::count_if(request.headers.begin(), request.headers.end(),
                                   [](const auto& header) { return header.first == kKey; });
  const std::string& key = *find_header(request.headers, kKey);
  const bool visible =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; });
  if (given == 1 && !key.empty() && key.size() <= kLongestKey && visible) return std::nullopt;
  const char* what = "one value of 1 to 255 visible ASCII characters";
  return problem(422, std::string("headers.idempotency-key: ") + what,
                 R"([{"at":"headers.idempotency-key","message":")" + std::string(what) + "\"}]");
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) {
    text += std::to_string(part.size()) + ":";
    text += part;
  }
  return text;
}

/// Hashed with the deployment's secret: the store does not tell a key that a client chose.
Idempotency::Request identify(const std::string& secret, const Routes::Match& match,
                              const HttpRequest& request, const std::string& user) {
  const std::string& key = *find_header(request.headers, kKey);
  const std::string* type = find_header(request.headers, "content-type");
  const Digest scope = hmac_sha256(secret, joined({match.plugin, match.name, user, key}));
  const Digest content =
      hmac_sha256(secret, joined({request.target, type != nullptr ? *type : "", request.body}));
  return {.plugin = match.plugin,
          .scope = std::string(bytes_of(scope)),
          .content = std::string(bytes_of(content))};
}

HttpResponse again(ports::KeptAnswer kept) {
  if (kept.whole) return std::move(kept.response);
  return problem(409, "this request was done before, with status " +
                          std::to_string(kept.response.status) +
                          "; its answer had more than 64 KB or came in parts, and is not kept");
}

}  // namespace

void Gateway::run_once(const Plugin& plugin, Routes::Match match, HttpRequest request,
                       Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder) {
  const Manifest::Route& route = plugin.code->manifest().routes.at(match.route);
  if (std::optional<HttpResponse> refused = refusal(route, request)) {
    responder->respond(std::move(*refused));
    return;
  }
  Idempotency::Request what = identify(env_.identity.secret, match, request, admitted.user.subject);
  auto holder = std::make_shared<std::weak_ptr<Idempotency::Attempt>>();
  auto decided = [this, plugin, holder, match = std::move(match), request = std::move(request),
                  admitted = std::move(admitted), responder = std::move(responder),
                  began = env_.clock.now()](Idempotency::Verdict verdict) mutable {
    const AttemptPtr attempt = holder->lock();
    attempts_.erase(attempt);
    if (std::holds_alternative<Idempotency::Run>(verdict)) {
      Routes::Match now = routes_->match(request.method, request.path);
      if (now.plugin != match.plugin || now.name != match.name) {
        responder->respond(
            problem(503, "the plugin's code was replaced meanwhile", {}, {{"retry-after", "1"}}));
        return;
      }
      match = std::move(now);
      run(plugin, std::move(match), std::move(request), std::move(admitted), std::move(responder),
          attempt);
      return;
    }
    Asked asked;
    asked.plugin = plugin;
    asked.route = match.name;
    asked.more = std::move(admitted.headers);
    asked.began = began;
    ports::HttpOutcome outcome;
    if (auto* kept = std::get_if<ports::KeptAnswer>(&verdict)) {
      env_.metrics.add("host_http_replays_total", 1,
                       {{"plugin", match.plugin}, {"route", match.name}});
      outcome.response = again(std::move(*kept));
      set_header(outcome.response.headers, "idempotency-replayed", "true");
    } else {
      outcome.response = std::move(std::get<HttpResponse>(verdict));
    }
    send(asked, std::move(outcome), nullptr, std::move(responder));
  };
  const AttemptPtr attempt = idempotency_->begin(env_, lane_, std::move(what), std::move(decided));
  *holder = attempt;
  attempts_.insert(attempt);
}

}  // namespace host::runtime
