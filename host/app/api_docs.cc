#include "host/app/api_docs.h"

#include <algorithm>
#include <array>

#include "host/base/digest.h"

extern "C" const char host_embedded_docs_html[];
extern "C" const char host_embedded_docs_html_end[];
extern "C" const char host_embedded_docs_css[];
extern "C" const char host_embedded_docs_css_end[];
extern "C" const char host_embedded_docs_js[];
extern "C" const char host_embedded_docs_js_end[];

namespace host::app {
namespace {

std::string base64(const Digest& digest) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < digest.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < digest.size() ? digest[i + j] : 0U);
    }
    const std::size_t given = std::min<std::size_t>(3, digest.size() - i);
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= given ? kLetters[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

std::string etag_of(std::string_view text) { return "\"" + to_hex(sha256(text).data(), 8) + "\""; }

/// The page with style and script inside of it; its policy lets exactly these two run, and lets
/// them talk to this listener alone.
struct Page {
  std::string html;
  std::string etag;
  std::string policy;
};

const Page& page() {
  static const Page made = [] {
    const std::string css(host_embedded_docs_css, host_embedded_docs_css_end);
    const std::string js(host_embedded_docs_js, host_embedded_docs_js_end);
    Page out;
    out.html.assign(host_embedded_docs_html, host_embedded_docs_html_end);
    for (const auto& [mark, text] : {std::pair{"/* style */", &css}, {"/* script */", &js}}) {
      const std::size_t at = out.html.find(mark);
      out.html.replace(at, std::string_view(mark).size(), *text);
    }
    out.etag = etag_of(out.html);
    out.policy = "default-src 'none'; connect-src 'self'; style-src 'sha256-" +
                 base64(sha256(css)) + "'; script-src 'sha256-" + base64(sha256(js)) +
                 "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    return out;
  }();
  return made;
}

HttpResponse kept(const HttpRequest& request, const char* type, const std::string& body,
                  const std::string& etag, Headers headers = {}) {
  set_header(headers, "cache-control", "no-cache");
  set_header(headers, "etag", etag);
  const std::string* known = find_header(request.headers, "if-none-match");
  if (known != nullptr && known->find(etag) != std::string::npos) {
    return {.status = 304, .headers = std::move(headers), .body = {}};
  }
  set_header(headers, "content-type", type);
  return {.status = 200, .headers = std::move(headers), .body = body};
}

}  // namespace

void ApiDocs::publish(const std::vector<const Manifest*>& plugins) {
  const std::lock_guard lock(mutex_);
  plugins_.clear();
  for (const Manifest* plugin : plugins) plugins_.push_back(*plugin);
  make_documents();
}

void ApiDocs::set_server(std::string url) {
  const std::lock_guard lock(mutex_);
  server_ = std::move(url);
  make_documents();
}

void ApiDocs::make_documents() {
  std::vector<const Manifest*> plugins;
  for (const Manifest& plugin : plugins_) plugins.push_back(&plugin);
  const auto made = [&plugins](const std::string& server) {
    std::string json = openapi_document(plugins, server);
    std::string etag = etag_of(json);
    return std::make_shared<const Document>(Document{std::move(json), std::move(etag)});
  };
  here_ = made("");
  elsewhere_ = made(server_);
}

std::shared_ptr<const ApiDocs::Document> ApiDocs::document(bool has_routes) const {
  const std::lock_guard lock(mutex_);
  return has_routes ? here_ : elsewhere_;
}

std::optional<HttpResponse> ApiDocs::answer(const HttpRequest& request, bool has_routes) const {
  const bool is_page = request.path == "/docs";
  if (!is_page && request.path != "/openapi.json") return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") {
    return problem(405, "this path has GET", {}, {{"allow", "GET"}});
  }
  if (is_page) {
    return kept(request, "text/html; charset=utf-8", page().html, page().etag,
                {{"content-security-policy", page().policy}, {"referrer-policy", "no-referrer"}});
  }
  const std::shared_ptr<const Document> found = document(has_routes);
  if (!found) return problem(503, "the host is starting", {}, {{"retry-after", "1"}});
  return kept(request, "application/json", found->json, found->etag);
}

}  // namespace host::app
