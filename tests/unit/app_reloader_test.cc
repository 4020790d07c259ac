#include <catch2/catch.hpp>

#include "host/runtime/reloader.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/recorders.h"

namespace host::runtime {
namespace {

/// A revision without code: what the reloader looks at.
class PaperRevision final : public ports::Revision {
 public:
  PaperRevision(Manifest manifest, std::vector<std::pair<std::string, std::string>> files)
      : manifest_(std::move(manifest)), files_(std::move(files)) {}

  const Manifest& manifest() const override { return manifest_; }
  const std::vector<std::pair<std::string, std::string>>& files() const override { return files_; }
  Result<std::unique_ptr<ports::Engine>> make_engine() const override {
    return make_error(Error::Code::unsupported, "paper does not run");
  }

 private:
  Manifest manifest_;
  std::vector<std::pair<std::string, std::string>> files_;
};

/// Files are in memory; a text is its own revision. Words in it break one step each.
struct Fixture {
  std::map<std::string, std::string> disk{{"a.lua", "one"}};
  std::vector<std::string> steps;  // in the order in which they were done
  Reloader::Contents watched;
  int loads = 0;
  bool store_away = false;

  fakes::RecordingLogger logger;
  fakes::RecordingMetrics metrics;
  fakes::ManualClock clock;
  fakes::FakeLog log{clock, {}};
  fakes::FakeStore store{clock, log, {}};
  Reloader reloader{parts()};

  bool has(const std::string& text, const char* word) {
    return text.find(word) != std::string::npos;
  }

  Loaded load(const std::string& file) {
    ++loads;
    const std::string text = disk[file];
    if (has(text, "syntax")) {
      return {
          .problems = {{.file = file, .line = 3, .column = 0, .message = "syntax", .hint = {}}}};
    }
    if (has(text, "module")) {
      return {.problems = {
                  {.file = "module.lua", .line = 7, .column = 0, .message = "bad", .hint = {}}}};
    }
    Manifest manifest;
    manifest.name = has(text, "renamed") ? "b" : "a";
    manifest.file = file;
    manifest.revision = text;
    manifest.state_version = has(text, "v2") ? 2 : 1;
    std::vector<std::pair<std::string, std::string>> files{{file, text}};
    if (has(text, "requires")) files.emplace_back("new.lua", disk["new.lua"]);
    return {.revision = std::make_shared<PaperRevision>(std::move(manifest), std::move(files))};
  }

  Reloader::Parts parts() {
    return {
        .load = [this](const std::string& file) { return load(file); },
        .fits = [this](const Manifest& manifest) -> Result<void> {
          if (!has(manifest.revision, "route")) return {};
          return make_error(Error::Code::invalid, "two routes are equal");
        },
        .smoke = [this](const std::shared_ptr<const ports::Revision>& revision) -> Problems {
          steps.push_back("smoke " + revision->manifest().revision);
          if (!has(revision->manifest().revision, "smoke")) return {};
          return {{.file = "a.lua", .line = 9, .column = 0, .message = "smoke", .hint = {}}};
        },
        .ensure_topics = [this](const Manifest& manifest) -> Result<void> {
          if (store_away) return retryable_error(Error::Code::unavailable, "the disk is away");
          steps.push_back("topics " + manifest.revision);
          return {};
        },
        .add = [this](std::shared_ptr<const ports::Revision> revision) -> Result<void> {
          steps.push_back("add " + revision->manifest().revision);
          return {};
        },
        .publish = [this](std::shared_ptr<const ports::Revision> revision) -> Result<void> {
          if (has(revision->manifest().revision, "memory")) {
            return make_error(Error::Code::script_error, "no memory on lane 1");
          }
          steps.push_back("publish " + revision->manifest().revision);
          return {};
        },
        .read = [this](const std::string& path) -> std::optional<std::string> {
          const auto found = disk.find(path);
          if (found == disk.end()) return std::nullopt;
          return found->second;
        },
        .watch = [this](const Reloader::Contents& files) { watched = files; },
        .store = store,
        .metrics = metrics,
        .logger = logger,
    };
  }

  void start() {
    REQUIRE(reloader.start("a.lua").kind == Reloader::Answer::Kind::live);
    steps.clear();
    loads = 0;
  }
  void edit(const std::string& text, const std::string& file = "a.lua") {
    disk[file] = text;
    reloader.files_changed();
  }
  Reloader::Status status() { return reloader.status().at(0); }
};
using Kind = Reloader::Answer::Kind;
using Steps = std::vector<std::string>;

TEST_CASE_METHOD(Fixture, "a plugin starts by its steps, and is remembered as good") {
  CHECK(reloader.start("a.lua").kind == Kind::live);
  CHECK(steps == Steps{"smoke one", "topics one", "add one"});
  CHECK(store.last_good("a").value()->revision == "one");
  CHECK(status().revision == "one");
  CHECK(status().state == "live");
  CHECK(watched.contains("a.lua"));
}

TEST_CASE_METHOD(Fixture, "what this store has seen live starts without its smoke cases") {
  REQUIRE(store.remember_good("a", {.revision = "one", .files = {{"a.lua", "one"}}}).ok());
  CHECK(reloader.start("a.lua").kind == Kind::live);
  CHECK(steps == Steps{"topics one", "add one"});
}

TEST_CASE_METHOD(Fixture, "a plugin that does not load does not start") {
  disk["a.lua"] = "syntax";
  const Reloader::Answer answer = reloader.start("a.lua");
  CHECK(answer.kind == Kind::refused);
  CHECK(answer.problems.at(0).line == 3);
  CHECK(reloader.status().empty());
}

TEST_CASE_METHOD(Fixture, "at the start a store that is away is no fault of the script") {
  store_away = true;
  CHECK(reloader.start("a.lua").kind == Kind::away);
}

TEST_CASE_METHOD(Fixture, "a changed file is checked, prepared and published, in this order") {
  start();
  edit("two");
  CHECK(steps == Steps{"smoke two", "topics two", "publish two"});
  CHECK(status().revision == "two");
  CHECK(store.last_good("a").value()->revision == "two");
  CHECK(metrics.value("host_reloads_total", {{"plugin", "a"}, {"result", "live"}}) == 1);
}

TEST_CASE_METHOD(Fixture, "files that are the same again are not loaded") {
  start();
  reloader.files_changed();
  CHECK(loads == 0);
}

TEST_CASE_METHOD(Fixture, "whatever a broken edit breaks, the old revision goes on") {
  for (const char* text : {"syntax", "renamed", "two routes", "fails smoke", "no memory"}) {
    Fixture each;
    each.start();
    each.edit(text);
    INFO(text);
    CHECK(each.status().revision == "one");
    CHECK(each.status().refused.size() == 1);
    for (const std::string& step : each.steps) CHECK(step.find("publish") == std::string::npos);
    CHECK(each.store.last_good("a").value()->revision == "one");
    CHECK(each.metrics.value("host_reloads_total", {{"plugin", "a"}, {"result", "refused"}}) == 1);
    CHECK(each.logger.find(ports::LogLevel::error, "not reloaded: a.lua").size() == 1);
  }
}

TEST_CASE_METHOD(Fixture, "a lower state version is refused") {
  disk["a.lua"] = "v2";
  start();
  edit("three");
  CHECK(status().revision == "v2");
  CHECK(status().refused.at(0).message.find("state version 1") != std::string::npos);
}

TEST_CASE_METHOD(Fixture,
                 "refused bytes are tried again only when a file changes or someone asks") {
  start();
  edit("syntax");
  CHECK(loads == 1);
  reloader.files_changed();
  CHECK(loads == 1);
  CHECK(reloader.reload("a").kind == Kind::refused);
  CHECK(loads == 2);
  edit("two");
  CHECK(status().revision == "two");
  CHECK(status().refused.empty());
}

TEST_CASE_METHOD(Fixture, "an edit that is undone clears what was refused") {
  start();
  edit("syntax");
  CHECK_FALSE(status().refused.empty());
  edit("one");
  CHECK(status().refused.empty());
  CHECK(steps.empty());
}

TEST_CASE_METHOD(Fixture, "a file that a new revision requires is watched from then on") {
  start();
  disk["new.lua"] = "x";
  edit("requires");
  CHECK(watched.contains("new.lua"));
  loads = 0;
  edit("y", "new.lua");
  CHECK(loads == 1);
}

TEST_CASE_METHOD(Fixture, "the file that a problem names is watched, so that mending it counts") {
  start();
  disk["module.lua"] = "broken";
  edit("module");
  CHECK(watched.contains("module.lua"));
  loads = 0;
  edit("mended", "module.lua");
  CHECK(loads == 1);
}

TEST_CASE_METHOD(Fixture, "while the store is away nothing is decided, and it is tried again") {
  start();
  store_away = true;
  edit("two");
  CHECK(status().revision == "one");
  CHECK(reloader.reload("a").kind == Kind::away);
  store_away = false;
  reloader.retry_away();
  CHECK(status().revision == "two");
  CHECK(status().refused.empty());
  loads = 0;
  reloader.retry_away();
  CHECK(loads == 0);
}

TEST_CASE_METHOD(Fixture, "an unknown plugin and unchanged files are told apart") {
  start();
  CHECK(reloader.reload("b").kind == Kind::unknown);
  CHECK(reloader.rollback("b").kind == Kind::unknown);
  const Reloader::Answer answer = reloader.reload("a");
  CHECK(answer.kind == Kind::unchanged);
  CHECK(answer.revision == "one");
}

TEST_CASE_METHOD(Fixture,
                 "a rollback publishes what ran before, and leaves the newer files alone") {
  start();
  CHECK(reloader.rollback("a").kind == Kind::refused);
  edit("two");
  steps.clear();
  CHECK(reloader.rollback("a").kind == Kind::live);
  CHECK(status().revision == "one");
  CHECK(steps.back() == "publish one");
  loads = 0;
  reloader.files_changed();
  CHECK(loads == 0);
  edit("three");
  CHECK(status().revision == "three");
}

TEST_CASE_METHOD(Fixture, "a rollback is not undone by an edit that the store was away for") {
  start();
  edit("two");
  store_away = true;
  edit("three");
  CHECK(reloader.rollback("a").kind == Kind::live);
  store_away = false;
  reloader.retry_away();
  CHECK(status().revision == "one");
  edit("four");
  CHECK(status().revision == "four");
}

TEST_CASE_METHOD(Fixture, "a rollback below the state version is refused") {
  start();
  edit("v2");
  const Reloader::Answer answer = reloader.rollback("a");
  CHECK(answer.kind == Kind::refused);
  CHECK(status().revision == "v2");
}

}  // namespace
}  // namespace host::runtime
