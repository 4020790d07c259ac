#include "host/app/waiting_page.h"

namespace host::app {

void WaitingPage::set(Away away) {
  const std::lock_guard lock(mutex_);
  away_ = std::move(away);
}

void WaitingPage::handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) {
  Away away;
  {
    const std::lock_guard lock(mutex_);
    away = away_;
  }
  if (request.path == "/healthz") {
    responder->respond(json_response(200, "{\"status\":\"alive\"}"));
  } else if (request.path == "/readyz") {
    responder->respond(json_response(503, ready_document({away})));
  } else {
    responder->respond(problem(503, "the host waits for the " + away.name + ": " + away.why, {},
                               {{"retry-after", "1"}}));
  }
}

}  // namespace host::app
