#include "host/runtime/gateway.h"

#include "host/runtime/body_stream.h"
#include "host/runtime/event_stream.h"
#include "host/runtime/file_answer.h"
#include "host/runtime/http_call.h"
#include "host/runtime/random_id.h"

namespace host::runtime {
namespace {

constexpr std::size_t kDefaultBody = 1'000'000;
constexpr std::size_t kHostRouteBody = 0;

/// What a client gave as correlation id, where it is one: printable, of bounded length.
std::string correlation_of(const HttpRequest& request, ports::Chance& chance) {
  for (const char* name : {"correlation-id", "x-correlation-id", "x-request-id"}) {
    const std::string* given = find_header(request.headers, name);
    if (given == nullptr || given->empty() || given->size() > 128) continue;
    const bool printable =
        given->find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/") ==
        std::string::npos;
    if (printable) return *given;
  }
  return random_id(chance);
}

}  // namespace

Gateway::Gateway(const Environment& environment, Executor& lane, Settings settings)
    : env_(environment),
      lane_(lane),
      settings_(std::move(settings)),
      access_(env_, settings_.authenticator,
              settings_.limiter ? settings_.limiter : std::make_shared<RateLimiter>(env_.chance)),
      idempotency_(settings_.idempotency ? settings_.idempotency
                                         : std::make_shared<Idempotency>()) {}

Gateway::~Gateway() = default;

void Gateway::publish(std::shared_ptr<const Routes> routes) { routes_ = std::move(routes); }

void Gateway::add(const std::string& plugin, PluginCode* code, Door* door) {
  plugins_[plugin] = {code, door, std::make_shared<HttpMeter>(env_.metrics, plugin)};
}

void Gateway::stop() {
  stopping_ = true;
  for (const auto& stream : std::set<std::shared_ptr<EventStream>>(streams_)) stream->stop();
}

void Gateway::abandon() {
  for (const auto& [call, weak] : std::exchange(calls_, {})) {
    if (const auto running = weak.lock()) running->cancel();
  }
  attempts_.clear();
  for (const auto& stream : std::exchange(streams_, {})) stream->stop();
  for (const auto& body : std::exchange(bodies_, {})) body->abandon();
  for (const auto& answer : std::exchange(files_, {})) answer->abandon();
}

std::size_t Gateway::max_body(const HttpRequest& head) {
  if (!routes_) return kHostRouteBody;
  const Routes::Match match = routes_->match(head.method, head.path);
  return match.plugin.empty() ? kDefaultBody : match.max_body;
}

void Gateway::handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) {
  if (request.path == "/healthz") {
    responder->respond(json_response(200, "{\"status\":\"alive\"}"));
    return;
  }
  if (request.path == "/readyz") {
    responder->respond(settings_.ready());
    return;
  }
  if (settings_.pages) {
    if (std::optional<HttpResponse> page = settings_.pages(request)) {
      responder->respond(std::move(*page));
      return;
    }
  }
  if (stopping_ || !routes_) {
    responder->respond(
        problem(503, "the host is starting or stopping", {}, {{"retry-after", "1"}}));
    return;
  }
  Routes::Match match = routes_->match(request.method, request.path);
  if (match.plugin.empty()) {
    if (match.allow.empty()) {
      responder->respond(problem(404, "no route has this path"));
    } else if (request.method == "OPTIONS") {
      responder->respond({.status = 204, .headers = {{"allow", match.allow}}, .body = {}});
    } else {
      responder->respond(
          problem(405, "this path has " + match.allow, {}, {{"allow", match.allow}}));
    }
    return;
  }
  const Plugin& plugin = plugins_.at(match.plugin);
  const Manifest::Route& route = plugin.code->manifest().routes.at(match.route);
  auto admitted = access_.admit(match.plugin, route, match.parameters, request);
  if (auto* refused = std::get_if<HttpResponse>(&admitted)) {
    responder->respond(std::move(*refused));
    return;
  }
  auto& who = std::get<Access::Admitted>(admitted);
  if (find_header(request.headers, "idempotency-key") != nullptr) {
    run_once(plugin, std::move(match), std::move(request), std::move(who), std::move(responder));
  } else if (route.files) {
    file(plugin, std::move(match), std::move(request), std::move(who), std::move(responder));
  } else if (route.stream) {
    stream(plugin, std::move(match), std::move(request), std::move(who), std::move(responder));
  } else {
    run(plugin, std::move(match), std::move(request), std::move(who), std::move(responder));
  }
}

ports::Call Gateway::make_call(const Plugin& plugin, const Routes::Match& match,
                               HttpRequest&& request, User&& user,
                               const Idempotency::Attempt* attempt) {
  ports::Call call;
  call.kind = ports::Call::Kind::http;
  call.route = match.route;
  call.params = match.parameters;
  call.user = std::move(user.subject);
  call.roles = user.every_role ? plugin.code->manifest().routes.at(match.route).roles
                               : std::move(user.roles);
  call.correlation_id = correlation_of(request, env_.chance);
  call.now = call.wall_clock = env_.clock.now();
  // A repeat of a request chooses the same again.
  call.chance_seed = attempt != nullptr
                         ? env_.identity.secret + match.plugin + "/" + attempt->request().scope
                         : env_.chance.bytes(16);
  call.request = std::move(request);
  return call;
}

void Gateway::run(const Plugin& plugin, Routes::Match&& match, HttpRequest&& request,
                  Access::Admitted&& admitted, std::unique_ptr<ports::HttpResponder> responder,
                  AttemptPtr attempt) {
  ports::Call call =
      make_call(plugin, match, std::move(request), std::move(admitted.user), attempt.get());
  const Manifest::Route& route = plugin.code->manifest().routes.at(match.route);
  std::string once = attempt ? attempt->request().scope : "";
  std::string name = match.name;
  Asked asked{.plugin = plugin,
              .route = std::move(match.name),
              .more = std::move(admitted.headers),
              .cache = route.cache,
              .request = {},
              .began = call.wall_clock,
              .timeout = route.timeout,
              .attempt = std::move(attempt)};
  if (route.cache) {
    asked.request.emplace().method = call.request.method;
    if (const std::string* known = find_header(call.request.headers, "if-none-match")) {
      asked.request->headers = {{"if-none-match", *known}};
    }
  }
  const auto running = std::make_shared<HttpCall>(
      env_, lane_, *plugin.code, route.timeout,
      [this, asked = std::move(asked), responder = std::move(responder)](
          const std::shared_ptr<HttpCall>& ended, ports::HttpOutcome&& outcome) mutable {
        calls_.erase(ended.get());
        answered(asked, std::move(outcome), ended, std::move(responder));
      });
  running->measure(plugin.meter, std::move(name));
  running->start(std::move(call), std::move(once));
  if (running->running()) calls_.insert_or_assign(running.get(), running);
}

void Gateway::file(const Plugin& plugin, Routes::Match match, HttpRequest request,
                   Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder) {
  const Manifest::Route& declared = plugin.code->manifest().routes.at(match.route);
  FileAnswer::Route route{.folder = declared.files->folder,
                          .fallback = declared.files->fallback,
                          .max_age = {},
                          .shared = declared.auth_none};
  if (declared.cache) route.max_age = declared.cache->max_age;
  const std::string rest = match.parameters.empty() ? "" : match.parameters.back().second;
  const Asked asked{.plugin = plugin,
                    .route = match.name,
                    .more = {},
                    .cache = {},
                    .request = {},
                    .began = env_.clock.now(),
                    .attempt = nullptr};
  Headers headers = std::move(admitted.headers);
  set_header(headers, header::kCorrelation, correlation_of(request, env_.chance));
  auto holder = std::make_shared<std::weak_ptr<FileAnswer>>();
  auto answer = std::make_shared<FileAnswer>(
      env_, lane_, std::move(route), std::move(request), headers, std::move(responder),
      [this, asked](int status) { count(asked, status); },
      [this, holder] {
        if (const auto ended = holder->lock()) files_.erase(ended);
      });
  *holder = answer;
  files_.insert(answer);
  answer->start(rest);
}

// Before the head of a stream is sent; afterwards nothing can be refused any more.
std::optional<HttpResponse> Gateway::misfit(const Plugin& plugin, ports::Call call) {
  if (!plugin.code->may_start(false)) {
    return problem(503, "too many requests are running", {}, {{"retry-after", "1"}});
  }
  call.kind = ports::Call::Kind::check;
  const std::shared_ptr<ports::Engine> engine = plugin.code->engine();
  ports::Engine::Started started = engine->start(std::move(call));
  if (Result<void> checked = plugin.code->check(engine.get()); !checked) {
    env_.logger.log(
        ports::LogLevel::error, "the plugin cannot be loaded any more",
        {{"plugin", plugin.code->manifest().name}, {"error", checked.error().to_string()}});
  }
  if (started.step.http && started.step.http->response.status == 200) return std::nullopt;
  return started.step.http ? std::move(started.step.http->response)
                           : problem(500, "the request could not be checked");
}

void Gateway::stream(const Plugin& plugin, Routes::Match match, HttpRequest request,
                     Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder) {
  const Manifest::Stream& declared = *plugin.code->manifest().routes.at(match.route).stream;
  // How long a client follows is no time of an answer: requests are counted alone.
  const auto count = [&](int status) {
    env_.metrics.add("host_http_requests_total", 1,
                     {{"plugin", plugin.code->manifest().name},
                      {"route", match.name},
                      {"status", std::to_string(status)}});
  };
  if (request.method == "HEAD") {
    count(200);
    responder->respond(
        {.status = 200, .headers = {{"content-type", "text/event-stream"}}, .body = {}});
    return;
  }
  EventStream::Source source;
  source.route = match.name;
  source.has_map = declared.has_map;
  source.every = declared.every;
  if (!declared.topic.empty()) source.topic = env_.topic_prefix + declared.topic;
  for (const auto& [name, value] : match.parameters) {
    if (!declared.key_param.empty() && name == declared.key_param) source.key = value;
  }
  const std::string* last = find_header(request.headers, "last-event-id");
  const std::string last_id = last != nullptr ? *last : "";
  source.call = make_call(plugin, match, std::move(request), std::move(admitted.user));
  if (std::optional<HttpResponse> refused = misfit(plugin, source.call)) {
    count(refused->status);
    responder->respond(std::move(*refused));
    return;
  }
  HttpResponse head{.status = 200,
                    .headers = {{"content-type", "text/event-stream"},
                                {"cache-control", "no-store"},
                                {header::kCorrelation, source.call.correlation_id}},
                    .body = {}};
  for (const auto& [name, value] : admitted.headers) set_header(head.headers, name, value);
  count(200);
  std::shared_ptr<ports::HttpStream> out =
      responder->stream(std::move(head), ports::HttpResponder::Body::events);
  auto holder = std::make_shared<std::weak_ptr<EventStream>>();
  auto following =
      std::make_shared<EventStream>(env_, lane_, *plugin.code, std::move(source), std::move(out),
                                    [this, holder, open = CountedIn(plugin.meter->open_streams)] {
                                      if (const auto ended = holder->lock()) streams_.erase(ended);
                                    });
  *holder = following;
  streams_.insert(following);
  following->start(last_id);
}

}  // namespace host::runtime
