#include "host/runtime/file_answer.h"

#include <algorithm>
#include <cctype>

#include "host/core/http_cache.h"

namespace host::runtime {
namespace {

constexpr std::size_t kAtOnce = 256u << 10;

struct Known {
  std::string_view extension;
  std::string_view type;
};
constexpr Known kTypes[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"wav", "audio/wav"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
};

std::string_view last_segment(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// No empty segment, none of dots, and nothing hidden but what the web itself keeps there.
bool is_plain(std::string_view path) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    const bool hidden = segment.starts_with(".") && segment != ".well-known";
    if (segment.empty() || hidden || segment.find('\0') != std::string_view::npos) return false;
    at = end + 1;
  }
  return true;
}

}  // namespace

std::vector<std::string> file_candidates(const std::string& rest, const std::string& fallback) {
  const bool folder = rest.empty() || rest.ends_with("/");
  const std::string path = folder ? rest + "index.html" : rest;
  if (!is_plain(path)) return {};
  std::vector<std::string> out{path};
  // A page of an application has no extension; a missing script must not become a page.
  const bool page = folder || last_segment(path).find('.') == std::string_view::npos;
  if (page && !fallback.empty() && fallback != path) out.push_back(fallback);
  return out;
}

std::string media_type_of(std::string_view path) {
  const std::string_view name = last_segment(path);
  const std::size_t dot = name.rfind('.');
  std::string extension(dot == std::string_view::npos ? "" : name.substr(dot + 1));
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Known& known : kTypes) {
    if (known.extension == extension) return std::string(known.type);
  }
  return "application/octet-stream";
}

bool is_fingerprinted(std::string_view path) {
  const std::string_view name = last_segment(path);
  const std::size_t end = name.rfind('.');
  if (end == std::string_view::npos || end == 0) return false;
  const std::size_t begin = name.find_last_of(".-_", end - 1);
  if (begin == std::string_view::npos) return false;
  const std::string_view mark = name.substr(begin + 1, end - begin - 1);
  const auto is_hex = [](unsigned char c) {
    return std::isdigit(c) != 0 || (c >= 'a' && c <= 'f');
  };
  // Letters too: a date is no hash.
  return mark.size() >= 8 && std::all_of(mark.begin(), mark.end(), is_hex) &&
         std::any_of(mark.begin(), mark.end(), [](unsigned char c) { return std::isalpha(c); }) &&
         std::any_of(mark.begin(), mark.end(), [](unsigned char c) { return std::isdigit(c); });
}

FileAnswer::FileAnswer(const Environment& environment, Executor& lane, Route route,
                       HttpRequest request, Headers headers,
                       std::unique_ptr<ports::HttpResponder> responder,
                       std::function<void(int)> answered, std::function<void()> ended)
    : env_(environment),
      lane_(lane),
      route_(std::move(route)),
      request_(std::move(request)),
      headers_(std::move(headers)),
      responder_(std::move(responder)),
      answered_(std::move(answered)),
      ended_(std::move(ended)) {}

void FileAnswer::start(const std::string& rest) {
  candidates_ = file_candidates(rest, route_.fallback);
  if (candidates_.empty()) return respond(problem(404, "there is no such file"));
  if (env_.files == nullptr) return respond(problem(501, "files are not served in tests"));
  ports::StaticFiles::Wanted wanted{.folder = route_.folder, .paths = candidates_, .encodings = {}};
  if (const std::string* accepts = find_header(request_.headers, "accept-encoding")) {
    for (const char* encoding : {"br", "gzip"}) {
      if (takes_encoding(*accepts, encoding)) wanted.encodings.emplace_back(encoding);
    }
  }
  env_.files->open(std::move(wanted), lane_,
                   [self = shared_from_this()](Result<ports::StaticFiles::Found> found) {
                     if (self->responder_) self->opened(std::move(found));
                   });
}

void FileAnswer::opened(Result<ports::StaticFiles::Found> found) {
  if (!found) {
    const bool missing = found.error().code == Error::Code::not_found;
    if (missing) return respond(problem(404, found.error().message));
    env_.logger.log(ports::LogLevel::warn, "a file cannot be served",
                    {{"error", found.error().to_string()}});
    return respond(problem(503, "the file cannot be read now", {}, {{"retry-after", "1"}}));
  }
  head_ = head_of(*found, candidates_.at(found->which));
  answer_if_changed(request_, head_);
  if (head_.status == 304) return respond(std::move(head_));
  file_ = std::move(found->file);
  if (file_->size() > kAtOnce) {
    for (const auto& [name, value] : headers_) set_header(head_.headers, name, value);
    if (answered_) answered_(200);
    out_ = responder_->stream(std::move(head_), ports::HttpResponder::Body::whole);
    responder_.reset();
    out_->on_close([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->abandon();
    });
  }
  read_next();
}

HttpResponse FileAnswer::head_of(const ports::StaticFiles::Found& found,
                                 const std::string& path) const {
  HttpResponse head;
  const std::string tag = found.encoding.empty() ? "" : "-" + found.encoding;
  set_header(head.headers, "content-type", media_type_of(path));
  set_header(head.headers, "etag", "\"" + found.file->version() + tag + "\"");
  set_header(head.headers, "vary", "accept-encoding");
  if (!found.encoding.empty()) set_header(head.headers, "content-encoding", found.encoding);
  constexpr long long kYear = 365 * 24 * 3600;
  std::string cache = is_fingerprinted(path) ? cache_control(kYear, route_.shared) + ", immutable"
                                             : cache_control(0, route_.shared);
  if (route_.max_age) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*route_.max_age);
    cache = cache_control(seconds.count(), route_.shared);
  }
  set_header(head.headers, "cache-control", cache);
  return head;
}

void FileAnswer::read_next() {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(kAtOnce, file_->size() - at_));
  env_.files->read(file_, at_, n, lane_, [self = shared_from_this()](Result<std::string> part) {
    if (!self->responder_ && !self->out_) return;
    if (part) return self->send(std::move(*part));
    self->env_.logger.log(ports::LogLevel::warn, "a file cannot be served",
                          {{"error", part.error().to_string()}});
    if (self->responder_) {
      return self->respond(problem(503, "the file cannot be read now", {}, {{"retry-after", "1"}}));
    }
    self->end();
  });
}

void FileAnswer::send(std::string bytes) {
  at_ += bytes.size();
  if (responder_) {
    head_.body = std::move(bytes);
    return respond(std::move(head_));
  }
  out_->write(std::move(bytes), [weak = weak_from_this()](bool alive) {
    const auto self = weak.lock();
    if (!self || !self->out_) return;
    if (!alive) return self->abandon();
    if (self->at_ < self->file_->size()) return self->read_next();
    self->out_->finish();
    self->end();
  });
}

void FileAnswer::respond(HttpResponse response) {
  for (const auto& [name, value] : headers_) set_header(response.headers, name, value);
  if (answered_) answered_(response.status);
  std::exchange(responder_, nullptr)->respond(std::move(response));
  end();
}

void FileAnswer::abandon() {
  if (responder_ || out_) end();
}

void FileAnswer::end() {
  const auto self = shared_from_this();
  responder_.reset();
  out_.reset();
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace host::runtime
