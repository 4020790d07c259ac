#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "host/app/servers.h"

namespace host::app {
namespace {

using Catch::Contains;

struct Folder {
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
  }
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("app_servers_" + std::to_string(::getpid()));
};

constexpr const char* kLog = "kafka://b";
constexpr const char* kStore = "postgresql://u@h/d";

TEST_CASE("log and store are both embedded, or both servers'") {
  const std::string embedded = "embedded";
  CHECK_FALSE(*read_servers({}, {}, {}, "."));
  CHECK_FALSE(*read_servers(embedded, embedded, {}, "."));
  const auto servers = read_servers(kLog, kStore, {}, ".");
  REQUIRE(servers);
  REQUIRE(*servers);
  CHECK((*servers)->log.brokers == "b:9092");
  CHECK((*servers)->store == kStore);
  CHECK_THAT(read_servers(kLog, {}, {}, ".").error().to_string(), Contains("--store is missing"));
  CHECK_THAT(read_servers(embedded, kStore, {}, ".").error().to_string(),
             Contains("--log is missing"));
}

TEST_CASE("settings of the log come from variables and files, and say which is missing") {
  const Folder folder;
  folder.write("secret", "of the file\n");
  ::setenv("APP_SERVERS_SECRET", "of the variable", 1);
  const auto servers =
      read_servers("kafka://b?sasl.password=env:APP_SERVERS_SECRET&ssl.key.password=file:secret",
                   kStore, {}, folder.path.string());
  REQUIRE(servers);
  CHECK((*servers)->log.settings[0].second == "of the variable");
  CHECK((*servers)->log.settings[1].second == "of the file");
  CHECK_THAT(
      read_servers("kafka://b?sasl.password=env:APP_SERVERS_NONE", kStore, {}, ".").error().message,
      Contains("sasl.password names the variable APP_SERVERS_NONE, which is not set"));
  CHECK_THAT(read_servers("kafka://b?sasl.password=file:none", kStore, {}, ".").error().to_string(),
             Contains("sasl.password: ") && Contains("none"));
}

TEST_CASE("a secret where others see it is refused, and not repeated") {
  CHECK(store_url_problem("--store", kStore, true).empty());
  CHECK(store_url_problem("HOST_STORE", "postgresql://u:hidden@h/d", false).empty());
  CHECK(log_url_problem("HOST_LOG", "kafka://b?sasl.password=hidden", false).empty());
  for (const std::string& problem :
       {store_url_problem("--store", "postgresql://u:hidden@h/d", true),
        store_url_problem("--store", "user=u password=hidden", true),
        store_url_problem("--store", "hidden", true),
        log_url_problem("--log", "kafka://b?sasl.password=hidden", true)}) {
    CHECK_FALSE(problem.empty());
    CHECK_THAT(problem, !Contains("hidden"));
  }
}

TEST_CASE("a role's password is that of its file, else of its variable") {
  const Folder folder;
  folder.write("host_owls", "of the file\r\n");
  const RolePasswords passwords(folder.path.string(), {{"host_owls", "x"}, {"host_elves", "y"}});
  CHECK(*passwords.of("host_owls") == "of the file");
  CHECK(*passwords.of("host_elves") == "y");
  CHECK_FALSE(*passwords.of("host_trolls"));
  CHECK_FALSE(*RolePasswords().of("host_owls"));
  std::filesystem::create_directories(folder.path / "host_nobody");
  CHECK_FALSE(passwords.of("host_nobody"));  // a folder cannot be read
}

TEST_CASE("a URL without a password has that of its role, as a plugin's role has") {
  const Folder folder;
  folder.write("host", "of the file\n");
  const RolePasswords passwords(folder.path.string(), {{"other", "y"}});
  const auto of_url = [&](const std::string& url) {
    return passwords.of_url(*postgres::Conninfo::parse(url));
  };
  CHECK(*of_url("postgresql://host@db/d") == "of the file");
  CHECK(*of_url("postgresql://other@db/d") == "y");
  CHECK(of_url("postgresql://host:in_it@db/d")->empty());
  CHECK(of_url("postgresql://nobody@db/d")->empty());
  CHECK(of_url("postgresql://db/d")->empty());
  std::filesystem::create_directories(folder.path / "folder");
  CHECK_FALSE(of_url("postgresql://folder@db/d"));
}

}  // namespace
}  // namespace host::app
