#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "host/ports/http_server.h"
#include "host/runtime/access.h"
#include "host/runtime/door.h"
#include "host/runtime/environment.h"
#include "host/runtime/plugin_code.h"
#include "host/runtime/routes.h"

namespace host::runtime {

class HttpCall;
class EventStream;

/// Answers the requests that one lane accepted: finds the route, admits the user, runs the plugin's
/// handler on this lane, sends what it emitted (one message straight to the log, several through
/// the door, all or none), and answers when that is durable. /healthz and /readyz are its own. Only
/// on its lane.
class Gateway final : public ports::HttpHandler {
 public:
  /// Answers what no plugin's route matches; null leaves the 404.
  struct Settings {
    std::function<HttpResponse()> ready;                  // thread-safe
    const ports::Authenticator* authenticator = nullptr;  // null: everybody has every role
    std::shared_ptr<RateLimiter> limiter = {};            // of all lanes; null: one of its own
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
  };
  void run(const Plugin& plugin, Routes::Match match, HttpRequest request,
           Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder);
  void stream(const Plugin& plugin, Routes::Match match, HttpRequest request,
              Access::Admitted admitted, std::unique_ptr<ports::HttpResponder> responder);
  ports::Call make_call(const Plugin& plugin, const Routes::Match& match, HttpRequest request,
                        User user);
  void answered(const Plugin& plugin, const std::string& route, Headers headers,
                ports::HttpOutcome outcome, std::unique_ptr<ports::HttpResponder> responder);

  const Environment& env_;
  Executor& lane_;
  const Settings settings_;
  Access access_;
  std::shared_ptr<const Routes> routes_;
  std::map<std::string, Plugin> plugins_;
  std::set<std::shared_ptr<EventStream>> streams_;
  std::map<const HttpCall*, std::weak_ptr<HttpCall>> calls_;
  bool stopping_ = false;
};

}  // namespace host::runtime
