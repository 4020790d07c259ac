#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/adapters/postgres/conninfo.h"
#include "host/ports/logger.h"
#include "host/ports/members.h"

namespace host::postgres {

struct MembersOptions {
  std::string url;                    // as Conninfo::parse() takes it
  PasswordSource password = nullptr;  // wins over what the URL and the environment say
  LoginSource login = nullptr;        // who commits for a plugin, as Options::login
  ports::Logger* logger = nullptr;
  /// Short: a heartbeat that comes late is as good as none.
  Limits limits = {.connect = std::chrono::milliseconds(1'500),
                   .statement = std::chrono::milliseconds(1'500),
                   .lock = std::chrono::milliseconds(1'000),
                   .idle_in_transaction = std::chrono::seconds(5),
                   .answer = std::chrono::seconds(3)};
};

/// Members and leases in the tables host.member and host.lease, for any number of processes. Times
/// are the database's. One thread with a connection of its own carries out what is asked, another
/// one waits for what others notify of. Needs the common schema, which
/// PostgresStore::open_deployment() makes; until then every call fails as unavailable does.
/// Thread-safe. Executors that were given to calls outlive stop().
class PostgresMembers final : public ports::Members {
 public:
  /// Connects to nothing yet. Errors: invalid (the URL).
  static Result<std::unique_ptr<PostgresMembers>> make(const MembersOptions& options);
  ~PostgresMembers() override;
  /// What was asked before is still done if the database answers in time; what is asked later is
  /// answered `unavailable`. Idempotent.
  void stop();

  void join(ports::Member self, Executor& executor, Callback<void> callback) override;
  void beat(const std::string& id, bool leaving, Executor& executor,
            Callback<void> callback) override;
  void look(Executor& executor, Callback<ports::MembersView> callback) override;
  void take(const std::string& id, std::vector<ports::Lease> seen, Executor& executor,
            Callback<std::vector<ports::Lease>> callback) override;
  void release(const std::string& id, std::vector<ShardRef> shards, Executor& executor,
               Callback<void> callback) override;
  void leave(const std::string& id, Executor& executor, Callback<void> callback) override;
  void bury(const ports::Member& seen, Executor& executor, Callback<void> callback) override;
  void on_change(Executor& executor, std::function<void()> changed) override;

  /// Ends the transaction that holds the row of `shard`, with its connection, if the member that
  /// had the lease before its owner is gone: stopped in the middle of a commit it holds the row,
  /// and no timeout of the server ends that. For who could not claim the shard because its row is
  /// locked (Options::claim_blocked). Does not wait; what fails is logged.
  void end_transaction_of_former_owner(const ShardRef& shard);

 private:
  struct Parts;
  explicit PostgresMembers(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace host::postgres
