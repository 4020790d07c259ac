#include "host/app/backends.h"

#include "host/adapters/postgres/roles.h"

namespace host::app {
namespace {

/// Who runs the SQL of a plugin: its own role, where we have the password.
auto login_of(const std::string& host_role, const RolePasswords& passwords) {
  return
      [host_role, passwords](const std::string& plugin) -> Result<std::optional<postgres::Login>> {
        const std::string role = postgres::role_of(host_role, plugin);
        Result<std::optional<std::string>> password = passwords.of(role);
        if (!password) return password.error();
        if (!*password) return std::optional<postgres::Login>();
        return std::optional(postgres::Login{.user = role, .password = std::move(**password)});
      };
}

}  // namespace

Result<std::unique_ptr<Backends>> Backends::make(const Parts& parts) {
  std::unique_ptr<Backends> backends(new Backends());
  Result<void> made =
      parts.settings.servers ? backends->meet_servers(parts) : backends->open_folder(parts);
  if (!made) return made.error();
  return backends;
}

Backends::~Backends() { stop(); }

Result<void> Backends::open_folder(const Parts& parts) {
  Result<std::unique_ptr<sqlite::Database>> database =
      sqlite::Database::open({.dir = parts.settings.data,
                              .clock = parts.clock,
                              .logger = &parts.logger,
                              .metrics = &parts.metrics});
  if (!database) return database.error();
  database_ = std::move(*database);
  log_ = database_.get();
  store_ = database_.get();
  where_ = "data in " + parts.settings.data.string();
  return {};
}

Result<void> Backends::meet_servers(const Parts& parts) {
  const Servers& servers = *parts.settings.servers;
  kafka::Options log = servers.log;
  log.group = parts.settings.prefix + log.group;
  log.logger = &parts.logger;
  Result<std::unique_ptr<kafka::KafkaLog>> kafka = kafka::KafkaLog::make(log);
  if (!kafka) return kafka.error();
  kafka_ = std::move(*kafka);

  const Result<postgres::Conninfo> info = postgres::Conninfo::parse(servers.store);
  if (!info) return info.error();
  const std::string host_role = info->user();
  const postgres::LoginSource login = login_of(host_role, servers.passwords);
  const postgres::PasswordSource password = [passwords = servers.passwords, where = *info] {
    return passwords.of_url(where);
  };
  if (const Result<std::string> first = password(); !first) return first.error();
  auto store = postgres::PostgresStore::make({.url = servers.store,
                                              .password = password,
                                              .login = login,
                                              .clock = parts.clock,
                                              .logger = &parts.logger,
                                              .metrics = &parts.metrics,
                                              .claim_blocked = [this](const ShardRef& shard) {
                                                members_->end_transaction_of_former_owner(shard);
                                              }});
  if (!store) return store.error();
  postgres_ = std::move(*store);

  auto members = postgres::PostgresMembers::make(
      {.url = servers.store, .password = password, .login = login, .logger = &parts.logger});
  if (!members) return members.error();
  members_ = std::move(*members);

  log_ = kafka_.get();
  store_ = postgres_.get();
  where_ = "log on Kafka at " + log.brokers + ", store on PostgreSQL as " + info->describe();
  return {};
}

void Backends::set_admin(const std::string& address) {
  if (database_) database_->set_admin(address);
}

std::optional<sqlite::Account> Backends::account() const {
  if (!database_) return std::nullopt;
  Result<sqlite::Account> account = database_->account();
  if (!account) return std::nullopt;
  return std::move(*account);
}

Result<void> Backends::check_login(const std::string& plugin) const {
  return postgres_ ? postgres_->check_login(plugin) : Result<void>();
}

void Backends::stop() {
  if (members_) members_->stop();
  if (kafka_) kafka_->stop();
  if (postgres_) postgres_->stop();
  if (database_) database_->stop();
}

}  // namespace host::app
