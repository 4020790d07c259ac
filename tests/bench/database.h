#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "host/adapters/sqlite/database.h"
#include "host/app/system_ports.h"
#include "host/runtime/asks.h"
#include "host/runtime/runtime.h"
#include "host/script/watchdog.h"
#include "tests/bench/support.h"

namespace host::bench {

/// The embedded host without its listeners: the real log and store in `dir`, and a plugin on the
/// real runtime. Its parts go in the right order when it goes.
class EmbeddedHost {
 public:
  /// `wrap`, when given, may put itself around the revision that runs.
  using Wrap =
      std::function<std::shared_ptr<const ports::Revision>(std::shared_ptr<const ports::Revision>)>;
  EmbeddedHost(const Options& options, std::vector<std::string> topics, const Wrap& wrap = nullptr);
  ~EmbeddedHost();

  void start() { runtime_->start(); }
  sqlite::Database& database() { return *database_; }
  Meter& meter() { return meter_; }
  const std::string& plugin() const { return plugin_; }
  runtime::Lane& feeding() { return feeding_; }
  void add_file_sizes(Figures& figures) const;

 private:
  const std::filesystem::path dir_;
  StderrLogger logger_;
  Meter meter_;
  SystemClock clock_;
  app::SystemChance chance_;
  runtime::Asks asks_;
  script::Watchdog watchdog_;
  std::unique_ptr<sqlite::Database> database_;
  std::string plugin_;
  runtime::Lane feeding_;  // of who appends
  std::unique_ptr<runtime::Runtime> runtime_;
};

/// Gives every key below `keys` its state of the work, through the port, where the store has none
/// yet; before the runtime starts.
void prefill(EmbeddedHost& host, std::size_t keys);

}  // namespace host::bench
