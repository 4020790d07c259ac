#pragma once

#include "host/runtime/door.h"
#include "host/runtime/gateway.h"
#include "host/runtime/routes.h"
#include "tests/runtime/fake_responder.h"
#include "tests/runtime/shard_fixture.h"

namespace host {

/// One lane with a gateway and a plugin whose routes are C++ functions.
struct HttpWorld : Outside {
  using Handler = std::function<ports::Step(const ports::Call&, const Answers&)>;

  explicit HttpWorld(PartitionNumber count = 1) : Outside(false, count) { manifest.name = "p"; }
  ~HttpWorld() {
    gateway.stop();
    gateway.abandon();
  }
  Manifest::Route& route(const std::string& method, const std::string& pattern, Handler handler) {
    Manifest::Route entry;
    entry.method = method;
    entry.pattern = pattern;
    manifest.routes.push_back(std::move(entry));
    handlers[manifest.routes.back().name()] = std::move(handler);
    return manifest.routes.back();
  }
  std::shared_ptr<const ports::Revision> revision(const std::string& name) {
    fakes::FakeScript script;
    script.manifest = manifest;
    script.manifest.revision = name;
    script.part = part;
    script.handler = [handlers = handlers, routes = manifest.routes](const ports::Call& call,
                                                                     const Answers& answers) {
      return handlers.at(routes.at(call.route).name())(call, answers);
    };
    return fakes::make_revision(std::move(script));
  }
  void start() {
    code = std::move(*runtime::PluginCode::make(revision("r1")));
    gateway.add("p", code.get(), &door);
    gateway.publish(*runtime::Routes::make({&code->manifest()}));
    door.start();
    settle();
  }
  void publish(const std::string& name) {
    REQUIRE(code->publish(revision(name)).ok());
    gateway.publish(*runtime::Routes::make({&code->manifest()}));
  }
  std::shared_ptr<fakes::Exchange> ask(const std::string& method, const std::string& path,
                                       Headers headers = {}, bool slow = false,
                                       std::string body = {}) {
    auto exchange = std::make_shared<fakes::Exchange>();
    exchange->slow = slow;
    HttpRequest request;
    request.method = method;
    request.target = request.path = path;
    request.headers = std::move(headers);
    request.body = std::move(body);
    gateway.handle(std::move(request), std::make_unique<fakes::FakeResponder>(exchange, lane));
    return exchange;
  }

  fakes::ManualExecutor lane{scheduler};
  Manifest manifest;
  std::map<std::string, Handler> handlers;
  std::function<ports::Step(std::size_t)> part;  // of answers in parts
  std::unique_ptr<runtime::PluginCode> code;
  runtime::Door door{{"p", kFirstDoor}, env, lane};
  runtime::Gateway gateway{env, lane, {.ready = [] { return json_response(200, "{}"); }}};
};

inline ports::Step answer(int status, std::string body, int emits = 0) {
  ports::Step step;
  step.http = ports::HttpOutcome{.response = json_response(status, std::move(body)), .unit = {}};
  for (int i = 0; i < emits; ++i) {
    step.http->unit.emits.push_back(
        {.topic = "out", .key = "k", .payload = std::to_string(i), .headers = {}});
  }
  return step;
}

}  // namespace host
