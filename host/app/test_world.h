#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bindings/test_driver.h"
#include "host/adapters/sqlite/database.h"
#include "host/app/recorded.h"
#include "host/app/run_settings.h"
#include "host/app/virtual_executor.h"
#include "host/ports/script_engine.h"
#include "host/runtime/asks.h"
#include "host/runtime/door.h"
#include "host/runtime/gateway.h"
#include "host/runtime/shard.h"

namespace host::app {

/// Plugins on virtual time: the real shards, gateway and database (in memory), one lane, no
/// threads. One world a test case; it runs for ten seconds of CPU time at most, so that plugins
/// which never come to rest hold nobody up. Only on its thread.
class TestWorld final : public bindings::TestDriver {
 public:
  using Revisions = std::vector<std::shared_ptr<const ports::Revision>>;

  /// Errors: those of the plugins' tables and engines, equal routes.
  static Result<std::unique_ptr<TestWorld>> make(const Revisions& revisions,
                                                 const RunSettings& settings, ports::Logger& logger,
                                                 ports::Metrics& metrics);
  ~TestWorld() override;

  Result<Handled> send(const std::string& topic, std::optional<std::string> key,
                       std::string payload) override;
  Result<HttpResponse> request(Request request) override;
  Result<void> advance(Duration duration) override;
  Result<void> run(Duration most) override;
  Result<State> state(const std::string& plugin, const std::string& key) override;
  Result<std::vector<Sent>> sent(const std::string& topic) override;

 private:
  /// Every request is from whom the test says.
  struct Sender final : ports::Authenticator {
    User user;
    Result<User> user_of(const HttpRequest&, Time) const override { return user; }
  };
  struct Plugin {
    std::unique_ptr<runtime::PluginCode> code;
    std::unique_ptr<runtime::Door> door;
    std::vector<std::unique_ptr<runtime::Shard>> shards;
  };

  TestWorld(ports::Logger& logger, ports::Metrics& metrics);
  Result<void> open(const Revisions& revisions, const RunSettings& settings);
  Result<void> add(const std::shared_ptr<const ports::Revision>& revision);
  Result<void> run_ready();
  Result<void> dead_since(std::size_t known);
  Result<std::vector<ports::DeadLetter>> dead();

  ports::Logger& logger_;
  ports::Metrics& metrics_;
  VirtualExecutor lane_;
  std::unique_ptr<ports::Chance> chance_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<RecordedLog> log_;
  std::unique_ptr<RecordedStore> store_;
  runtime::Asks asks_;
  std::unique_ptr<runtime::Environment> environment_;
  std::map<std::string, Plugin> plugins_;
  Sender sender_;
  std::unique_ptr<runtime::Gateway> gateway_;
  std::vector<Sent> sent_;
  bool record_ = true;
  int asked_ = 0;
};

}  // namespace host::app
