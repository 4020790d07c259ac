#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/core/http.h"
#include "host/core/manifest.h"

namespace host::app {

/// The OpenAPI 3.1 document of all routes of `plugins`. `server`: the URL of the listener that has
/// them, where the document is served by another one; else "".
std::string openapi_document(const std::vector<const Manifest*>& plugins,
                             const std::string& server = {});

/// What every listener answers on /openapi.json and /docs: the document of what runs now, and a
/// page that shows it, needs nothing from elsewhere and tries calls out. Thread-safe.
class ApiDocs {
 public:
  /// Called whenever another revision went live.
  void publish(const std::vector<const Manifest*>& plugins);
  /// Where the routes are served, for listeners that have none ("http://127.0.0.1:8080").
  void set_server(std::string url);

  /// Nothing when the path is not one of the two. `has_routes`: whether this listener serves them.
  std::optional<HttpResponse> answer(const HttpRequest& request, bool has_routes) const;

 private:
  struct Document {
    std::string json;
    std::string etag;
  };
  void make_documents();
  std::shared_ptr<const Document> document(bool has_routes) const;

  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<Manifest> plugins_;
  std::string server_;
  std::shared_ptr<const Document> here_;
  std::shared_ptr<const Document> elsewhere_;
};

}  // namespace host::app
