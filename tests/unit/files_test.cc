#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "host/adapters/files/file_watcher.h"
#include "host/adapters/files/read_file.h"

using namespace host;
using namespace host::files;
namespace fs = std::filesystem;

namespace {

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/host_files_XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Never empty in between: a half-written file that rests is rightly reported, and these tests are
/// not about that.
void put(const std::string& path, const std::string& text) {
  const auto mode = fs::exists(path) ? std::ios::in | std::ios::out : std::ios::out;
  std::ofstream(path, mode) << text;
}

/// The owner's thread is the test's: what was posted runs in next().
class Owner : public Executor {
 public:
  void post(UniqueFunction<void()> work) override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    posted_.notify_all();
  }
  TimerId post_after(Duration, UniqueFunction<void()>) override { return 0; }
  void cancel(TimerId) override {}

  bool next() {
    std::unique_lock lock(mutex_);
    if (!posted_.wait_for(lock, std::chrono::seconds(10), [&] { return !queue_.empty(); })) {
      return false;
    }
    UniqueFunction<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<UniqueFunction<void()>> queue_;
};

WatcherSettings quick(bool inotify) {
  return {
      .poll = inotify ? Duration(std::chrono::hours(1)) : Duration(std::chrono::milliseconds(5)),
      .debounce = std::chrono::milliseconds(5),
      .inotify = inotify};
}

using Paths = std::vector<std::string>;

struct Watched {
  explicit Watched(WatcherSettings settings)
      : watcher(
            owner, [this](Paths paths) { reports.push_back(std::move(paths)); }, settings) {}
  /// The next report.
  Paths report() {
    while (reports.empty()) {
      if (!owner.next()) throw std::runtime_error("no report within 10 s");
    }
    Paths paths = reports.front();
    reports.pop_front();
    return paths;
  }

  Owner owner;
  std::deque<Paths> reports;
  FileWatcher watcher;
};

}  // namespace

TEST_CASE("a file is read whole, with its bytes as they are") {
  Folder folder;
  const std::string text("a\0b\r\n\xff", 6);
  std::ofstream(folder / "a", std::ios::binary).write(text.data(), 6);
  CHECK(*read_file(folder / "a") == text);
}

TEST_CASE("a file that cannot be read says which and why") {
  Folder folder;
  fs::create_directory(folder / "folder");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const auto code = [&](const std::string& name) {
    const auto result = read_file(folder / name);
    REQUIRE_FALSE(result);
    CHECK(result.error().message.find(folder / name) != std::string::npos);
    return result.error().code;
  };
  CHECK(code("none") == Error::Code::not_found);
  CHECK(code("none/none") == Error::Code::not_found);
  CHECK(code("folder") == Error::Code::invalid);
  CHECK(code("pipe") == Error::Code::invalid);
  put(folder / "long", "");
  fs::resize_file(folder / "long", kMaxFile + 1);
  CHECK(code("long") == Error::Code::exhausted);
}

TEST_CASE("a change is reported, with inotify alone and with polls alone") {
  Folder folder;
  put(folder / "a", "1");
  put(folder / "b", "1");
  Watched watched(quick(GENERATE(true, false)));
  watched.watcher.watch({{folder / "a"}, {folder / "b"}});
  put(folder / "a", "2");
  CHECK(watched.report() == Paths{folder / "a"});
  put(folder / "b", "2");
  CHECK(watched.report() == Paths{folder / "b"});
}

TEST_CASE("a save by renaming is reported") {
  Folder folder;
  put(folder / "a", "1");
  Watched watched(quick(GENERATE(true, false)));
  watched.watcher.watch({{folder / "a"}});
  put(folder / "a.tmp", "2");
  fs::rename(folder / "a.tmp", folder / "a");
  CHECK(watched.report() == Paths{folder / "a"});
  put(folder / "a.tmp", "3");
  fs::rename(folder / "a.tmp", folder / "a");
  CHECK(watched.report() == Paths{folder / "a"});
}

TEST_CASE("a link that is swapped above the file is seen by the polls") {
  Folder folder;
  fs::create_directory(folder / "v1");
  fs::create_directory(folder / "v2");
  put(folder / "v1/a", "1");
  put(folder / "v2/a", "2");
  fs::create_directory_symlink("v1", folder / "data");
  Watched watched(quick(false));
  watched.watcher.watch({{folder / "data/a"}});
  fs::create_directory_symlink("v2", folder / "data.new");
  fs::rename(folder / "data.new", folder / "data");
  CHECK(watched.report() == Paths{folder / "data/a"});
}

TEST_CASE("a file that goes and one that comes are changes") {
  Folder folder;
  put(folder / "a", "1");
  Watched watched(quick(GENERATE(true, false)));
  watched.watcher.watch({{folder / "a"}, {folder / "later"}});
  fs::remove(folder / "a");
  CHECK(watched.report() == Paths{folder / "a"});
  put(folder / "later", "1");
  CHECK(watched.report() == Paths{folder / "later"});
}

TEST_CASE("a change between reading and watching is not missed") {
  Folder folder;
  put(folder / "a", "2");
  put(folder / "b", "1");
  Watched watched(quick(true));
  watched.watcher.watch({{folder / "a", content_hash("1")}, {folder / "b", content_hash("1")}});
  CHECK(watched.report() == Paths{folder / "a"});
}

TEST_CASE("a file that is written anew with the same bytes is not reported") {
  Folder folder;
  put(folder / "a", "1");
  put(folder / "b", "1");
  Watched watched(quick(true));
  watched.watcher.watch({{folder / "a"}, {folder / "b"}});
  put(folder / "a", "1");
  put(folder / "b", "2");
  CHECK(watched.report() == Paths{folder / "b"});
}

TEST_CASE("changes that come together are one report") {
  Folder folder;
  put(folder / "a", "1");
  put(folder / "b", "1");
  WatcherSettings settings = quick(true);
  settings.debounce = std::chrono::milliseconds(300);
  Watched watched(settings);
  watched.watcher.watch({{folder / "a"}, {folder / "b"}});
  put(folder / "a", "2");
  put(folder / "b", "2");
  CHECK(watched.report() == Paths{folder / "a", folder / "b"});
}

TEST_CASE("the set of files can be replaced; what stays keeps what is known of it") {
  Folder folder;
  put(folder / "a", "1");
  put(folder / "b", "1");
  put(folder / "c", "1");
  Watched watched(quick(GENERATE(true, false)));
  watched.watcher.watch({{folder / "a"}, {folder / "b"}});
  watched.watcher.watch({{folder / "b"}, {folder / "c"}});
  put(folder / "a", "2");
  put(folder / "b", "2");
  Paths all = watched.report();
  put(folder / "c", "2");
  while (all.back() != folder / "c") {
    for (std::string& path : watched.report()) all.push_back(std::move(path));
  }
  CHECK(all == Paths{folder / "b", folder / "c"});
}

TEST_CASE("a folder that comes later is watched then") {
  Folder folder;
  WatcherSettings settings = quick(true);
  settings.poll = std::chrono::milliseconds(5);
  Watched watched(settings);
  watched.watcher.watch({{folder / "later/a"}});
  fs::create_directory(folder / "later");
  put(folder / "later/a", "1");
  CHECK(watched.report() == Paths{folder / "later/a"});
}

TEST_CASE("a watcher stops twice, unused, and while a report is on its way") {
  Folder folder;
  put(folder / "a", "1");
  {
    Watched unused(quick(true));
    unused.watcher.stop();
    unused.watcher.stop();
  }
  Watched watched(quick(true));
  watched.watcher.watch({{folder / "a"}});
  put(folder / "a", "2");
  // The report is in the queue, or will never be; stopped on its executor, it must not come.
  watched.watcher.stop();
  watched.watcher.stop();
  watched.owner.post([] {});
  REQUIRE(watched.owner.next());
  CHECK(watched.reports.empty());
}

TEST_CASE("a watcher may be stopped inside its own report") {
  Folder folder;
  put(folder / "a", "1");
  Owner owner;
  std::unique_ptr<FileWatcher> watcher;
  bool reported = false;
  watcher = std::make_unique<FileWatcher>(
      owner,
      [&](Paths) {
        watcher.reset();
        reported = true;
      },
      quick(true));
  watcher->watch({{folder / "a"}});
  put(folder / "a", "2");
  REQUIRE(owner.next());
  CHECK(reported);
}
