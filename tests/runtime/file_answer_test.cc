#include "host/runtime/file_answer.h"

#include "tests/runtime/http_fixture.h"

namespace host {
namespace {

using runtime::file_candidates;

/// Files that are texts; "NAME.br" and "NAME.gz" are siblings.
class PaperFiles final : public ports::StaticFiles {
 public:
  class File final : public ports::StaticFile {
   public:
    explicit File(std::string t) : text(std::move(t)), version_(std::to_string(text.size())) {}
    std::uint64_t size() const override { return text.size(); }
    const std::string& version() const override { return version_; }
    const std::string text;

   private:
    const std::string version_;
  };

  void open(Wanted wanted, Executor& executor,
            UniqueFunction<void(Result<Found>)> callback) override {
    executor.post([found = find(wanted), callback = std::move(callback)]() mutable {
      callback(std::move(found));
    });
  }
  void read(std::shared_ptr<const ports::StaticFile> file, std::uint64_t offset, std::size_t n,
            Executor& executor, UniqueFunction<void(Result<std::string>)> callback) override {
    ++reads;
    Result<std::string> part = dynamic_cast<const File&>(*file).text.substr(offset, n);
    if (fail_read == reads) part = retryable_error(Error::Code::unavailable, "it became shorter");
    executor.post([part = std::move(part), callback = std::move(callback)]() mutable {
      callback(std::move(part));
    });
  }

  std::map<std::string, std::string> texts;
  int reads = 0;
  int fail_read = 0;

 private:
  Result<Found> find(const Wanted& wanted) {
    for (std::size_t i = 0; i < wanted.paths.size(); ++i) {
      if (!texts.contains(wanted.folder + "/" + wanted.paths[i])) continue;
      for (const std::string& encoding : wanted.encodings) {
        const auto packed = texts.find(wanted.folder + "/" + wanted.paths[i] + "." + encoding);
        if (packed == texts.end()) continue;
        return Found{std::make_shared<File>(packed->second), i, encoding};
      }
      return Found{std::make_shared<File>(texts.at(wanted.folder + "/" + wanted.paths[i])), i, ""};
    }
    return make_error(Error::Code::not_found, "there is no such file");
  }
};

struct FilesWorld : HttpWorld {
  FilesWorld() {
    env.files = &files;
    files.texts = {{"web/index.html", "<p>"}, {"web/app.js", "go()"}, {"web/app.js.br", "b"}};
    route("GET", "/*", [](const ports::Call&, const Answers&) { return answer(500, ""); }).files =
        Manifest::Files{.folder = "web", .fallback = "index.html"};
    manifest.routes.back().auth_none = true;
  }
  std::shared_ptr<fakes::Exchange> get(const std::string& path, Headers headers = {},
                                       bool slow = false) {
    if (!code) start();
    auto exchange = ask("GET", path, std::move(headers), slow);
    settle();
    return exchange;
  }
  PaperFiles files;
};

std::string header_of(const HttpResponse& response, const char* name) {
  const std::string* value = find_header(response.headers, name);
  return value != nullptr ? *value : "";
}

}  // namespace

TEST_CASE("a path names a file, and a page that is not there the fallback", "[files]") {
  using Paths = std::vector<std::string>;
  CHECK(file_candidates("", "index.html") == Paths{"index.html"});
  CHECK(file_candidates("a/", "") == Paths{"a/index.html"});
  CHECK(file_candidates("walls/7", "index.html") == Paths{"walls/7", "index.html"});
  CHECK(file_candidates("gone.js", "index.html") == Paths{"gone.js"});
  CHECK(file_candidates(".well-known/x.txt", "") == Paths{".well-known/x.txt"});
  for (const char* path : {"../x", "a/../x", ".", ".git/config", "a//b", "/etc/passwd", ".env"}) {
    INFO(path);
    CHECK(file_candidates(path, "index.html").empty());
  }
  CHECK(file_candidates(std::string("a\0b", 3), "").empty());
}

TEST_CASE("names that carry a hash are known", "[files]") {
  CHECK(runtime::is_fingerprinted("assets/app.3f9c2a1e.js"));
  CHECK(runtime::is_fingerprinted("app-0a1b2c3d4e.css"));
  CHECK_FALSE(runtime::is_fingerprinted("report-20261121.pdf"));
  CHECK_FALSE(runtime::is_fingerprinted("my-deadbeef.js"));
  CHECK_FALSE(runtime::is_fingerprinted("app.js"));
  CHECK_FALSE(runtime::is_fingerprinted("3f9c2a1e"));
}

TEST_CASE("a file is answered with its type, ETag and what may be kept", "[files]") {
  FilesWorld w;
  w.files.texts["web/app.3f9c2a1e.js"] = "x";
  const HttpResponse page = *w.get("/")->answer;
  CHECK(page.status == 200);
  CHECK(page.body == "<p>");
  CHECK(header_of(page, "content-type") == "text/html; charset=utf-8");
  CHECK(header_of(page, "cache-control") == "no-cache");
  CHECK(header_of(page, "vary") == "accept-encoding");
  CHECK(header_of(*w.get("/app.3f9c2a1e.js")->answer, "cache-control") ==
        "public, max-age=31536000, immutable");
  const auto again = w.get("/", {{"if-none-match", header_of(page, "etag")}});
  CHECK(again->answer->status == 304);
  CHECK(again->answer->body.empty());
  CHECK(w.metrics.value("host_http_requests_total",
                        {{"plugin", "p"}, {"route", "GET /*"}, {"status", "304"}}) == 1);
}

TEST_CASE("a packed sibling goes to who takes it, with an ETag of its own", "[files]") {
  FilesWorld w;
  const HttpResponse plain = *w.get("/app.js")->answer;
  const HttpResponse packed = *w.get("/app.js", {{"accept-encoding", "gzip, br"}})->answer;
  CHECK(packed.body == "b");
  CHECK(header_of(packed, "content-encoding") == "br");
  CHECK(header_of(packed, "content-type") == "text/javascript; charset=utf-8");
  CHECK(header_of(packed, "etag") != header_of(plain, "etag"));
  CHECK(header_of(*w.get("/app.js", {{"accept-encoding", "br;q=0"}})->answer, "content-encoding")
            .empty());
}

TEST_CASE("what is no file is 404, and a page the fallback", "[files]") {
  FilesWorld w;
  CHECK(w.get("/walls/7")->answer->body == "<p>");
  CHECK(w.get("/gone.js")->answer->status == 404);
  CHECK(w.get("/../secret")->answer->status == 404);
}

TEST_CASE("a long file is sent as fast as its client takes it", "[files]") {
  FilesWorld w;
  w.files.texts["web/film.mp4"] = std::string(600'000, 'x');
  const auto exchange = w.get("/film.mp4", {}, true);
  REQUIRE(exchange->head);
  CHECK(exchange->whole);
  CHECK(w.files.reads == 1);
  for (int i = 0; i < 3; ++i) {
    exchange->take();
    w.settle();
  }
  CHECK(exchange->body == w.files.texts["web/film.mp4"]);
  CHECK(exchange->finished);
}

TEST_CASE("a file that cannot be read to its end is broken off", "[files]") {
  FilesWorld w;
  w.files.texts["web/film.mp4"] = std::string(600'000, 'x');
  w.files.fail_read = 2;
  const auto exchange = w.get("/film.mp4");
  CHECK(exchange->broken);
  CHECK(w.logger.find(ports::LogLevel::warn, "a file cannot be served").size() == 1);
  w.files.fail_read = w.files.reads + 1;
  CHECK(w.get("/app.js")->answer->status == 503);
}

TEST_CASE("a client that goes away ends the reading", "[files]") {
  FilesWorld w;
  w.files.texts["web/film.mp4"] = std::string(600'000, 'x');
  const auto exchange = w.get("/film.mp4", {}, true);
  exchange->go_away();
  w.settle();
  CHECK(w.files.reads == 1);
  CHECK(w.logger.find(ports::LogLevel::warn, "").empty());
}

}  // namespace host
