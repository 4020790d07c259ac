#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/ports/http_server.h"
#include "host/ports/static_files.h"
#include "host/runtime/environment.h"

namespace host::runtime {

/// Where a file of a route is looked for, in order: what the path says, then the fallback, where a
/// page of an application may have been meant. Nothing: the path can name no file.
std::vector<std::string> file_candidates(const std::string& rest, const std::string& fallback);

/// The media type of a file by its name.
std::string media_type_of(std::string_view path);

/// Whether a name carries a hash of its content ("app.3f9c2a1e.js"): such a file never changes.
bool is_fingerprinted(std::string_view path);

/// Answers one request with a file: 200, 304 or 404; small files at once, others as fast as the
/// client takes them. Kept alive by its own callbacks and by its owner until `ended`.
/// Only on its lane.
class FileAnswer : public std::enable_shared_from_this<FileAnswer> {
 public:
  struct Route {
    std::string folder;
    std::string fallback;
    std::optional<Duration> max_age;  // of the route's `cache`
    bool shared = true;               // others than the client may keep it
  };
  /// `answered` is told the status, once; `ended` when it is over.
  FileAnswer(const Environment& environment, Executor& lane, Route route, HttpRequest request,
             Headers headers, std::unique_ptr<ports::HttpResponder> responder,
             std::function<void(int status)> answered, std::function<void()> ended);

  void start(const std::string& rest);
  /// Ends it where it is: the client sees that it is not whole.
  void abandon();

 private:
  void opened(Result<ports::StaticFiles::Found> found);
  HttpResponse head_of(const ports::StaticFiles::Found& found, const std::string& path) const;
  void read_next();
  void respond(HttpResponse response);
  void send(std::string bytes);
  void end();

  const Environment& env_;
  Executor& lane_;
  const Route route_;
  const HttpRequest request_;
  const Headers headers_;  // of every answer
  std::unique_ptr<ports::HttpResponder> responder_;
  std::function<void(int)> answered_;
  std::function<void()> ended_;
  std::vector<std::string> candidates_;
  std::shared_ptr<const ports::StaticFile> file_;
  HttpResponse head_;
  std::shared_ptr<ports::HttpStream> out_;
  std::uint64_t at_ = 0;
};

}  // namespace host::runtime
