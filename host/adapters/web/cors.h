#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/base/time.h"
#include "host/ports/http_server.h"

namespace host::web {

struct CorsSettings {
  bool any_origin = false;           // "*"; never with credentials
  std::vector<std::string> origins;  // "https://app.example", compared as they are
  bool credentials = false;          // cookies and the like; bearer tokens need none
  std::vector<std::string> expose;   // headers of answers that scripts of a page may read
  Duration max_age = std::chrono::minutes(10);  // that a browser keeps the answer to a preflight
};

/// Why `origin` is none as browsers send it; "" when it is one.
std::string_view origin_problem(std::string_view origin);

/// Lets pages of other sites ask (the Fetch standard's CORS protocol), before another handler:
/// answers preflights itself, and adds to the other answers what lets the page read them. A page
/// whose origin is not named gets answers without that, which its browser keeps from it. An answer
/// that says Access-Control-Allow-Origin itself is left as it is. Only on its lane.
class Cors final : public ports::HttpHandler {
 public:
  /// `inner` outlives it.
  Cors(ports::HttpHandler& inner, CorsSettings settings);

  std::size_t max_body(const HttpRequest& head) override { return inner_.max_body(head); }
  void handle(HttpRequest request, std::unique_ptr<ports::HttpResponder> responder) override;

 private:
  bool allows(const std::string& origin) const;
  /// What every answer to a page of `origin` carries; null: no page asks.
  Headers headers_for(const std::string* origin) const;
  HttpResponse preflight(const HttpRequest& request, const std::string& origin) const;

  ports::HttpHandler& inner_;
  const CorsSettings settings_;
  std::string exposed_;
};

}  // namespace host::web
