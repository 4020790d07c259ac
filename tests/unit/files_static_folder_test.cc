#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include "host/adapters/files/static_folder.h"

namespace host::files {
namespace {

namespace fs = std::filesystem;

/// Runs what is posted at once, on the thread that posts.
class Inline final : public Executor {
 public:
  void post(UniqueFunction<void()> work) override { work(); }
  TimerId post_after(Duration, UniqueFunction<void()>) override { return 0; }
  void cancel(TimerId) override {}
};

/// "inside/" is served, "secret" lies beside it.
class Web {
 public:
  Web() {
    char name[] = "/tmp/host_static_XXXXXX";
    root_ = ::mkdtemp(name);
    put("inside/index.html", "<p>");
    put("inside/assets/app.js", "go()");
    put("secret", "key");
  }
  ~Web() {
    folder.stop();
    fs::remove_all(root_);
  }
  void put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void link(const std::string& name, const std::string& to) {
    fs::create_symlink(to, root_ / "inside" / name);
  }
  fs::path path(const std::string& name) const { return root_ / name; }

  Result<ports::StaticFiles::Found> open(std::vector<std::string> paths,
                                         std::vector<std::string> encodings = {}) {
    std::promise<Result<ports::StaticFiles::Found>> answer;
    folder.open({(root_ / "inside").string(), std::move(paths), std::move(encodings)}, executor,
                [&](auto found) { answer.set_value(std::move(found)); });
    return wait(answer);
  }
  Result<std::string> read(const std::shared_ptr<const ports::StaticFile>& file,
                           std::uint64_t offset, std::size_t n) {
    std::promise<Result<std::string>> answer;
    folder.read(file, offset, n, executor, [&](auto part) { answer.set_value(std::move(part)); });
    return wait(answer);
  }
  std::string text(const std::string& name) {
    const auto found = open({name});
    if (!found) return "none";
    return *read(found->file, 0, found->file->size());
  }

  StaticFolder folder;

 private:
  template <class T>
  static T wait(std::promise<T>& answer) {
    auto future = answer.get_future();
    REQUIRE(future.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    return future.get();
  }

  fs::path root_;
  Inline executor;
};

}  // namespace

TEST_CASE("files of the folder are found, in the order of the names") {
  Web web;
  CHECK(web.text("assets/app.js") == "go()");
  const auto found = web.open({"gone", "index.html"});
  REQUIRE(found);
  CHECK(found->which == 1);
  CHECK(web.open({"gone"}).error().code == Error::Code::not_found);
  CHECK_FALSE(web.open({"assets"}));  // a folder
  CHECK_FALSE(web.open({"index.html/x"}));
  CHECK_FALSE(web.open({std::string(5000, 'a')}));
}

TEST_CASE("no path and no link leads out of the folder") {
  Web web;
  web.link("out", web.path("secret").string());
  web.link("up", "../secret");
  web.link("folder", "..");
  web.link("round", "round");
  CHECK_FALSE(web.open({"../secret"}));
  CHECK_FALSE(web.open({"out"}));
  CHECK_FALSE(web.open({"up"}));
  CHECK_FALSE(web.open({"folder/secret"}));
  CHECK_FALSE(web.open({"assets/../../secret"}));
  CHECK_FALSE(web.open({"round"}));
}

TEST_CASE("links that stay inside are followed, as mounted volumes have them") {
  Web web;
  web.put("inside/..data_1/page.html", "one");
  web.link("data", "..data_1");
  web.link("page.html", "data/page.html");
  CHECK(web.text("page.html") == "one");
}

TEST_CASE("what is no plain file is not there, and nothing waits for it") {
  Web web;
  REQUIRE(::mkfifo(web.path("inside/pipe").c_str(), 0600) == 0);
  CHECK_FALSE(web.open({"pipe"}));
}

TEST_CASE("a packed sibling takes the place of its file unless it is older") {
  Web web;
  web.put("inside/assets/app.js.gz", "gz");
  web.put("inside/assets/app.js.br", "br");
  const auto packed = web.open({"assets/app.js"}, {"br", "gzip"});
  REQUIRE(packed);
  CHECK(packed->encoding == "br");
  CHECK(*web.read(packed->file, 0, 2) == "br");
  CHECK(web.open({"assets/app.js"}, {"gzip"})->encoding == "gzip");
  const auto then = fs::last_write_time(web.path("inside/assets/app.js"));
  fs::last_write_time(web.path("inside/assets/app.js.br"), then - std::chrono::minutes(1));
  CHECK(web.open({"assets/app.js"}, {"br"})->encoding.empty());
}

TEST_CASE("the version of a file changes with it") {
  Web web;
  const std::string before = web.open({"index.html"})->file->version();
  CHECK(web.open({"index.html"})->file->version() == before);
  web.put("inside/index.html", "<p>more");
  CHECK(web.open({"index.html"})->file->version() != before);
}

TEST_CASE("a file that is replaced is read on as it was, and one that shrank is an error") {
  Web web;
  const auto found = web.open({"index.html"});
  web.put("inside/new.html", "other");
  fs::rename(web.path("inside/new.html"), web.path("inside/index.html"));
  CHECK(*web.read(found->file, 0, 3) == "<p>");
  const auto second = web.open({"assets/app.js"});
  fs::resize_file(web.path("inside/assets/app.js"), 1);
  CHECK(web.read(second->file, 0, 4).error().code == Error::Code::unavailable);
}

TEST_CASE("what is asked after a stop is answered unavailable") {
  Web web;
  const auto found = web.open({"index.html"});
  web.folder.stop();
  web.folder.stop();
  CHECK(web.open({"index.html"}).error().code == Error::Code::unavailable);
  CHECK(web.read(found->file, 0, 1).error().code == Error::Code::unavailable);
}

}  // namespace host::files
