#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "host/adapters/kafka/kafka_log.h"
#include "host/adapters/postgres/postgres_store.h"
#include "host/adapters/sqlite/database.h"
#include "host/app/system_ports.h"
#include "host/runtime/asks.h"
#include "host/runtime/runtime.h"
#include "host/script/watchdog.h"
#include "tests/bench/support.h"

namespace host::bench {

/// A host without its listeners: the real log and store, embedded in --dir or on --brokers and
/// --store with topics that begin with --prefix, and a plugin on the real runtime, which owns every
/// shard. Its parts go in the right order when it goes.
class BenchHost {
 public:
  /// `wrap`, when given, may put itself around the revision that runs.
  using Wrap =
      std::function<std::shared_ptr<const ports::Revision>(std::shared_ptr<const ports::Revision>)>;
  BenchHost(const Options& options, const std::vector<std::string>& topics,
            const Wrap& wrap = nullptr);
  ~BenchHost();

  void start() { runtime_->start(); }
  ports::Log& log() { return *log_; }
  ports::Store& store() { return *store_; }
  const std::string& prefix() const { return prefix_; }
  Meter& meter() { return meter_; }
  const std::string& plugin() const { return plugin_; }
  runtime::Lane& feeding() { return feeding_; }
  void add_file_sizes(Figures& figures) const;

 private:
  void open_folder();
  void meet_servers(const Options& options);

  const std::filesystem::path dir_;  // empty: on servers
  const std::string prefix_;
  StderrLogger logger_;
  Meter meter_;
  SystemClock clock_;
  app::SystemChance chance_;
  runtime::Asks asks_;
  script::Watchdog watchdog_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<kafka::KafkaLog> kafka_;
  std::unique_ptr<postgres::PostgresStore> postgres_;
  ports::Log* log_ = nullptr;
  ports::Store* store_ = nullptr;
  std::string plugin_;
  runtime::Lane feeding_;  // of who appends
  std::unique_ptr<runtime::Runtime> runtime_;
};

/// Gives every key below `keys` its state of the work, through the port, where the store has none
/// yet; before the runtime starts.
void prefill(BenchHost& host, std::size_t keys);

}  // namespace host::bench
