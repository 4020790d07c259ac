#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "host/ports/http_server.h"
#include "host/runtime/access.h"
#include "host/runtime/door.h"
#include "host/runtime/environment.h"
#include "host/runtime/http_meter.h"
#include "host/runtime/idempotency.h"
#include "host/runtime/plugin_code.h"
#include "host/runtime/routes.h"

namespace host::runtime {

class HttpCall;
class EventStream;
class BodyStream;
class FileAnswer;

/// Answers the requests that one lane accepted: finds the route, admits the user, runs the plugin's
/// handler on this lane, sends what it emitted (one message straight to the log, several through
/// the door, all or none), and answers when that is durable. /healthz, /readyz and the host's pages
/// come before all routes. Only on its lane.
class Gateway final : public ports::HttpHandler {
 public:
  /// Thread-safe functions.
  struct Settings {
    std::function<HttpResponse()> ready;
    /// /openapi.json and /docs; nothing: the path is none of them. Null: there are no such pages.
    std::function<std::optional<HttpResponse>(const HttpRequest&)> pages = nullptr;
    const ports::Authenticator* authenticator = nullptr;  // null: everybody has every role
    std::shared_ptr<RateLimiter> limiter = {};            // of all lanes; null: one of its own
    std::shared_ptr<Idempotency> idempotency = {};        // of all lanes; null: one of its own
  };

  Gateway(const Environment& environment, Executor& lane, Settings settings);
  ~Gateway() override;

  void publish(std::shared_ptr<const Routes> routes);
  void add(const std::string& plugin, PluginCode* code, Door* door);
  /// Ends streams and refuses what comes after; calls that run are answered.
  void stop();
  /// When the lane's loop has ended: drops the calls that still wait, unanswered.
  void abandon();

  std::size_t max_body(const HttpRequest& head) override;
  void handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) override;

 private:
  struct Plugin {
    PluginCode* code = nullptr;
    Door* door = nullptr;
    std::shared_ptr<HttpMeter> meter;
  };
  using AttemptPtr = std::shared_ptr<Idempotency::Attempt>;
  /// With `attempt`, the request that it stands for is answered once.
  void run(const Plugin& plugin, Routes::Match&& match, HttpRequest&& request,
           Access::Admitted&& admitted, std::unique_ptr<ports::HttpResponder> responder,
           AttemptPtr attempt = nullptr);
  /// A request with an Idempotency-Key.
  void run_once(const Plugin& plugin, Routes::Match match, HttpRequest request,
                Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder);
  void stream(const Plugin& plugin, Routes::Match match, HttpRequest request,
              Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder);
  /// Why a request does not fit its route; nothing: it does.
  std::optional<HttpResponse> misfit(const Plugin& plugin, ports::Call call);
  ports::Call make_call(const Plugin& plugin, const Routes::Match& match, HttpRequest&& request,
                        User&& user, const Idempotency::Attempt* attempt = nullptr);
  void file(const Plugin& plugin, Routes::Match match, HttpRequest request,
            Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder);
  /// What an answer needs when it is made.
  struct Asked {
    Plugin plugin;
    std::string route;
    Headers more;  // of the answer: what is left of the route's limit
    std::optional<Manifest::Cache> cache;
    std::optional<HttpRequest> request;  // of a route with `cache`: method and condition alone
    Time began{};
    Duration timeout{};  // of the route
    AttemptPtr attempt;  // of a request with an Idempotency-Key, until it is answered
  };
  void answered(const Asked& asked, ports::HttpOutcome&& outcome, std::shared_ptr<HttpCall> call,
                std::unique_ptr<ports::HttpResponder> responder);
  /// Straight to the log; `sent` is told within the time of the route.
  void append(const Asked& asked, ports::Append record, UniqueFunction<void(Result<void>)> sent);
  /// Sends the answer; in parts its head and first part, and then what the call goes on to make.
  void send(const Asked& asked, ports::HttpOutcome&& outcome, std::shared_ptr<HttpCall> call,
            std::unique_ptr<ports::HttpResponder> responder);
  void count(const Asked& asked, int status);

  /// The series of a plugin, a route and a status.
  struct Counted {
    ports::Counter& requests;
    ports::Histogram& seconds;
  };
  const Counted& series_of(const std::string& plugin, const std::string& route, int status);

  const Environment& env_;
  Executor& lane_;
  const Settings settings_;
  Access access_;
  const std::shared_ptr<Idempotency> idempotency_;
  std::shared_ptr<const Routes> routes_;
  std::map<std::string, Plugin> plugins_;
  std::set<std::shared_ptr<EventStream>> streams_;
  std::set<std::shared_ptr<BodyStream>> bodies_;
  std::set<std::shared_ptr<FileAnswer>> files_;
  std::map<const HttpCall*, std::weak_ptr<HttpCall>> calls_;
  std::set<AttemptPtr> attempts_;  // whose verdict has not come
  std::map<std::tuple<std::string, std::string, int>, Counted, std::less<>> counted_;
  bool stopping_ = false;
};

}  // namespace host::runtime
