#pragma once

#include <mutex>
#include <string>

#include "host/app/admin_documents.h"
#include "host/ports/http_server.h"

namespace host::app {

/// What both listeners answer while the process waits for servers that it needs to begin: /healthz
/// 200, /readyz 503 with who is away, everything else 503. Thread-safe.
class WaitingPage final : public ports::HttpHandler {
 public:
  void set(Away away);
  std::size_t max_body(const HttpRequest&) override { return 0; }
  void handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) override;

 private:
  std::mutex mutex_;
  Away away_;  // guarded by mutex_
};

}  // namespace host::app
