#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "host/app/tls_files.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recorders.h"
#include "tests/fakes/tls_pair.h"

namespace host::app {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("app_tls_files_" + std::to_string(getpid()))) {
    fs::create_directory(path);
  }
  ~Folder() { fs::remove_all(path); }

  void write(const char* name, const std::string& text) {
    std::ofstream(path / "new") << text;
    fs::rename(path / "new", path / name);
  }
  void write(const fakes::TlsPair& pair) {
    write("cert.pem", pair.certificate);
    write("key.pem", pair.key);
  }
  TlsFilePaths paths() const { return {path / "cert.pem", path / "key.pem"}; }

  const fs::path path;
};

struct World : Folder {
  World() {
    scheduler.clock().set(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
  }
  std::unique_ptr<TlsFiles> open() {
    auto opened = TlsFiles::open(paths(), "routes", control, scheduler.clock(), logger);
    if (!opened) FAIL(opened.error().to_string());
    return std::move(*opened);
  }
  bool told(ports::LogLevel level, const char* text) {
    return scheduler.wait_until([&] { return !logger.find(level, text).empty(); });
  }

  fakes::Scheduler scheduler;
  fakes::ManualExecutor control{scheduler};
  fakes::RecordingLogger logger;
};

constexpr const char* kServed = "a new TLS certificate is served";
constexpr const char* kKept = "the new TLS certificate is not taken";

}  // namespace

TEST_CASE("a new pair is served without a restart", "[tls]") {
  World w;
  w.write(fakes::make_tls_pair("old.example", 24));
  const auto files = w.open();
  const auto old = files->identity()->current();
  w.write(fakes::make_tls_pair("new.example", 48));
  REQUIRE(w.told(ports::LogLevel::info, kServed));
  CHECK(files->identity()->current()->not_after() > old->not_after());
  files->stop();
}

TEST_CASE("a bad new pair keeps the old one and says so; a good one mends it", "[tls]") {
  World w;
  const fakes::TlsPair good = fakes::make_tls_pair("old.example", 24);
  w.write(good);
  const auto files = w.open();
  const auto old = files->identity()->current();
  SECTION("another key") { w.write("key.pem", fakes::make_tls_pair("other.example").key); }
  SECTION("half a file") { w.write("cert.pem", good.certificate.substr(0, 100)); }
  SECTION("an expired one") { w.write(fakes::make_tls_pair("old.example", -1)); }
  SECTION("none") { fs::remove(w.path / "cert.pem"); }
  REQUIRE(w.told(ports::LogLevel::warn, kKept));
  CHECK(files->identity()->current() == old);
  CHECK(w.logger.find(ports::LogLevel::warn, kKept).front().field("listener") == "routes");
  w.write(fakes::make_tls_pair("new.example", 48));
  REQUIRE(w.told(ports::LogLevel::info, kServed));
  CHECK(files->identity()->current() != old);
  files->stop();
}

TEST_CASE("a start with a bad pair says which files and why", "[tls]") {
  World w;
  const auto why = [&] {
    return TlsFiles::open(w.paths(), "routes", w.control, w.scheduler.clock(), w.logger)
        .error()
        .message;
  };
  CHECK_THAT(why(), Catch::Contains("cert.pem"));
  w.write(fakes::make_tls_pair("one.example"));
  w.write("key.pem", fakes::make_tls_pair("two.example").key);
  CHECK_THAT(why(), Catch::Contains("key.pem") && Catch::Contains("does not belong"));
}

TEST_CASE("a certificate that ends within 14 days is warned of once a day", "[tls]") {
  constexpr const char* kSoon = "the TLS certificate ends soon";
  const auto day = std::chrono::hours(24);
  World w;
  w.write(fakes::make_tls_pair("old.example", 24 * 15));
  const auto files = w.open();
  const auto warnings = [&](const char* text) {
    files->warn_of_end();
    return w.logger.find(ports::LogLevel::warn, text).size();
  };
  CHECK(warnings(kSoon) == 0);
  CHECK(files->not_after() > w.scheduler.clock().now() + 14 * day);
  w.scheduler.clock().set(w.scheduler.clock().now() + day);
  CHECK(warnings(kSoon) == 1);
  CHECK(warnings(kSoon) == 1);
  w.scheduler.clock().set(w.scheduler.clock().now() + day);
  CHECK(warnings(kSoon) == 2);
  CHECK(w.logger.find(ports::LogLevel::warn, kSoon).front().field("listener") == "routes");
  w.scheduler.clock().set(files->not_after());
  CHECK(warnings("has expired") == 1);
  CHECK(warnings("has expired") == 1);
  w.write(fakes::make_tls_pair("new.example", 24 * 30));
  REQUIRE(w.told(ports::LogLevel::info, kServed));
  CHECK(warnings(kSoon) == 2);
  files->stop();
}

TEST_CASE("a start with an expired certificate runs and warns", "[tls]") {
  World w;
  w.write(fakes::make_tls_pair("old.example", -1));
  w.open()->stop();
  CHECK(w.logger.find(ports::LogLevel::warn, "has expired").size() == 1);
}

}  // namespace host::app
