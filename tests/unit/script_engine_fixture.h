#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/ctx.h"
#include "bindings/modules.h"
#include "host/script/revision.h"
#include "tests/fakes/metrics_by_name.h"
#include "tests/unit/script_vm_fixture.h"

namespace host::test {

class MetricsKeeper : public fakes::MetricsByName {
 public:
  std::map<std::string, double> values;
  std::map<std::string, std::string> kinds;

  void describe(const std::string& name, const std::string& kind, const std::string&) override {
    kinds[name] = kind;
  }
  void add(const std::string& name, double n, const ports::Labels& labels) override {
    values[with(name, labels)] += n;
  }
  void set(const std::string& name, double value, const ports::Labels& labels) override {
    values[with(name, labels)] = value;
  }
  void observe(const std::string& name, double value, const ports::Labels& labels) override {
    values[with(name, labels)] = value;
  }

 private:
  static std::string with(std::string name, const ports::Labels& labels) {
    for (const auto& [label, value] : labels) name += " " + label + "=" + value;
    return name;
  }
};

inline const Time kNoon = from_micros(1'795'262'400'000'000);  // 2026-11-21T12:00:00Z

/// A plugin from its text, on one engine, with calls that read like sentences.
class Plugin {
 public:
  explicit Plugin(const std::string& text, script::EngineOptions options = {},
                  std::map<std::string, script::Setting> config = {},
                  std::vector<std::pair<std::string, std::string>> more_files = {}) {
    watchdog();
    script::LoadRequest request;
    request.file = "plugins/p.lua";
    request.config = std::move(config);
    request.files.emplace_back(request.file, text);
    for (auto& file : more_files) request.files.push_back(std::move(file));
    auto loaded = script::load_revision(
        std::move(request), {bindings::modules(), bindings::open_ctx}, {log, metrics}, options);
    if (auto* problems = std::get_if<Problems>(&loaded)) {
      for (const Problem& problem : *problems) UNSCOPED_INFO(problem.to_string());
      FAIL("the plugin does not load");
    }
    revision = std::get<0>(loaded);
    renew();
  }

  void renew() {
    engine.reset();
    auto made = revision->make_engine();
    if (!made) FAIL(made.error().to_string());
    engine = std::move(*made);
  }

  static ports::Call message(const std::string& topic, const std::string& payload,
                             std::optional<std::string> key = "k") {
    Message message;
    message.topic = topic;
    message.key = std::move(key);
    message.payload = payload;
    message.id = "sender/0/1-7";
    message.time = kNoon;
    ports::Call call;
    call.message = std::make_shared<const Message>(std::move(message));
    call.shard = 3;
    call.now = kNoon;
    call.wall_clock = kNoon + std::chrono::seconds(1);
    call.chance_seed = "a secret of the store and the message";
    return call;
  }
  static ports::Call timer(const std::string& name, const std::string& payload = "") {
    return changed(message(name, payload), [](Message& m) { m.kind = Message::Kind::timer; });
  }
  static ports::Call every(const std::string& name) {
    return changed(message(name, "", std::nullopt),
                   [](Message& m) { m.kind = Message::Kind::every; });
  }
  /// `call` with another message.
  template <class Change>
  static ports::Call changed(ports::Call call, Change change) {
    Message message = *call.message;
    change(message);
    call.message = std::make_shared<const Message>(std::move(message));
    return call;
  }
  static ports::StateRow state(const std::string& json, int version = 1) {
    return {.bytes = json, .version = version, .quiet_until = {}};
  }
  ports::Call request(const std::string& route, const std::string& body = "",
                      Headers headers = {{"content-type", "application/json"}}) const {
    ports::Call call = message("", "", std::nullopt);
    call.kind = ports::Call::Kind::http;
    call.message = nullptr;
    const auto& routes = revision->manifest().routes;
    while (call.route < routes.size() && routes[call.route].name() != route) ++call.route;
    REQUIRE(call.route < routes.size());
    call.request.method = routes[call.route].method;
    call.request.body = body;
    call.request.headers = std::move(headers);
    call.request.address = "192.0.2.1";
    return call;
  }

  /// Runs a call that does not wait to its outcome.
  Outcome run(ports::Call call) {
    auto started = engine->start(std::move(call));
    REQUIRE(started.step.outcome);
    CHECK(started.task == nullptr);
    return std::move(*started.step.outcome);
  }
  Outcome send(const std::string& payload, std::optional<std::string> key = "k") {
    return run(message("in", payload, std::move(key)));
  }
  /// The unit of a message that is handled without error.
  UnitOfWork done(const std::string& payload = "{}") {
    Outcome outcome = send(payload);
    INFO(outcome.error.to_string());
    REQUIRE(outcome.kind == Outcome::Kind::done);
    return std::move(outcome.unit);
  }
  /// What a message's handler raised.
  std::string failure(const std::string& payload = "{}") {
    const Outcome outcome = send(payload);
    REQUIRE(outcome.kind == Outcome::Kind::failed);
    return outcome.error.to_string();
  }
  ports::HttpOutcome http(ports::Call call) {
    auto started = engine->start(std::move(call));
    REQUIRE(started.step.http);
    return std::move(*started.step.http);
  }

  LogKeeper log;
  MetricsKeeper metrics;
  std::shared_ptr<const ports::Revision> revision;
  std::unique_ptr<ports::Engine> engine;
};

/// A plugin whose handler of the topic "in" has this body; `more` are further fields.
inline std::string handler(const std::string& body, const std::string& more = "") {
  return "local spec = require 'host.spec' return { api = 1, name = 'p', emits = { out = spec.any "
         "},\n"
         "state = { n = 0, note = spec.string { optional = true }, any = spec.any { optional = "
         "true } }, " +
         more + " on = { ['in'] = { handle = function(ctx, msg)\n" + body + "\nend } } }";
}

}  // namespace host::test
