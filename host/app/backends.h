#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/adapters/kafka/kafka_log.h"
#include "host/adapters/postgres/postgres_members.h"
#include "host/adapters/postgres/postgres_store.h"
#include "host/adapters/sqlite/database.h"
#include "host/app/run_settings.h"
#include "host/ports/clock.h"

namespace host::app {

/// Log, store and members of a process: both in the data folder, or on servers that other processes
/// use, too.
class Backends {
 public:
  struct Parts {
    const RunSettings& settings;
    ports::Clock& clock;
    ports::Logger& logger;
    ports::Metrics& metrics;
  };
  /// Servers need not be there yet. Errors: of the data folder (sqlite::Database::open), and of
  /// settings that a client does not take.
  static Result<std::unique_ptr<Backends>> make(const Parts& parts);
  ~Backends();

  ports::Log& log() const { return *log_; }
  ports::Store& store() const { return *store_; }
  ports::Members* members() const { return members_.get(); }  // null: the process is alone
  /// Whether they are servers', which may be away and come back.
  bool are_servers() const { return database_ == nullptr; }
  /// For people: "data in ./data".
  const std::string& where() const { return where_; }
  /// For whoever finds the data folder taken.
  void set_admin(const std::string& address);
  /// Of the data folder; nothing: there is none, or it cannot be asked.
  std::optional<sqlite::Account> account() const;
  /// Errors: of a role's password that cannot be read.
  Result<void> check_login(const std::string& plugin) const;
  /// After it nothing is answered but `unavailable`. Idempotent.
  void stop();

 private:
  Backends() = default;
  Result<void> open_folder(const Parts& parts);
  Result<void> meet_servers(const Parts& parts);

  std::unique_ptr<sqlite::Database> database_;
  // Each asks the one after it.
  std::unique_ptr<postgres::PostgresMembers> members_;
  std::unique_ptr<postgres::PostgresStore> postgres_;
  std::unique_ptr<kafka::KafkaLog> kafka_;
  ports::Log* log_ = nullptr;
  ports::Store* store_ = nullptr;
  std::string where_;
};

}  // namespace host::app
