#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/app/admin_guard.h"
#include "host/app/api_docs.h"
#include "host/base/executor.h"
#include "host/ports/clock.h"
#include "host/ports/http_server.h"
#include "host/ports/store.h"
#include "host/runtime/reloader.h"
#include "host/runtime/runtime.h"

namespace host::app {

/// The admin listener: metrics, plugins with reload and rollback, shards, dead letters, for whom
/// its guard lets in. Lives on its own lane; what touches runtime and reloader is carried out on
/// the control thread. The id in /admin/dead/ID is the rest of the path with its slashes as they
/// are; the server refuses encoded ones. Only on its lane.
class Admin final : public ports::HttpHandler {
 public:
  struct Parts {
    Executor& control;
    Executor& lane;               // of the listener
    runtime::Runtime& runtime;    // on the control thread
    runtime::Reloader& reloader;  // on the control thread
    ports::Store& store;
    ports::Clock& clock;
    AdminGuard guard;
    std::function<std::string()> metrics;  // text exposition, on the control thread
    std::function<HttpResponse()> ready;   // thread-safe
    const ApiDocs& docs;
  };

  explicit Admin(Parts parts) : parts_(std::move(parts)) {}

  std::size_t max_body(const HttpRequest& head) override;
  void handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) override;

 private:
  using Responder = std::unique_ptr<ports::HttpResponder>;

  void on_control(Responder responder, UniqueFunction<HttpResponse()> work);
  void plugins(const HttpRequest& request, Responder responder);
  void dead(const HttpRequest& request, Responder responder);
  void list_dead(const HttpRequest& request, Responder responder);
  void show_dead(const HttpRequest& request, const std::string& id, Responder responder);
  /// Looks in one plugin after the other; more than one that has it is for the caller to decide.
  void find_dead(std::vector<std::string> plugins, std::optional<ports::DeadLetter> found,
                 const std::string& id, Responder responder);
  void with_stopped(UniqueFunction<void(std::vector<ports::DeadLetter>)> then);
  void redrive(const HttpRequest& request, const std::string& id, Responder responder);

  const Parts parts_;
};

}  // namespace host::app
