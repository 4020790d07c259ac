#include "host/adapters/postgres/postgres_members.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "host/adapters/postgres/names.h"
#include "host/adapters/postgres/notices.h"
#include "host/adapters/postgres/worker.h"

namespace host::postgres {
namespace {

using ports::Lease;
using ports::Member;
using ports::MembersView;

constexpr const char* kChannel = "host_members";
constexpr const char* kNotify = "select pg_notify('host_members', '')";
// Microseconds since 1970, of the moment and not of the transaction's begin.
#define HOST_NOW "(extract(epoch from clock_timestamp()) * 1000000)::bigint"

std::string lines_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += name + "\n";
  return out;
}

std::vector<std::string> names_of(std::string_view lines) {
  std::vector<std::string> out;
  for (std::size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
    out.emplace_back(lines.substr(0, end));
    lines.remove_prefix(end + 1);
  }
  return out;
}

Error nobody(const std::string& id) {
  return make_error(Error::Code::not_found, "there is no member " + id);
}

/// Shards as two parameters, for unnest().
void add_shards(Params& params, const std::vector<ShardRef>& shards) {
  Array plugins(kText, shards.size()), numbers(kInt4, shards.size());
  for (const ShardRef& shard : shards) {
    plugins.add(shard.plugin);
    numbers.add(std::int64_t{shard.number});
  }
  params.add(std::move(plugins));
  params.add(std::move(numbers));
}

Lease lease_of(const Rows& rows, int row, int first_column) {
  return {{rows.bytes(row, first_column),
           static_cast<PartitionNumber>(rows.integer(row, first_column + 1))},
          rows.bytes(row, first_column + 2),
          rows.integer(row, first_column + 3)};
}

/// One statement, so that members and leases are of one moment.
MembersView look_now(Connection& db) {
  const Rows rows = db.run("host",
                           "select 0, id, heartbeat, plugins, admin, leaving, '', 0, '', 0::bigint"
                           " from ~member where not gone union all"
                           " select 1, '', 0, '', '', false, plugin, number, owner, turn"
                           " from ~lease order by 1, 2, 7, 8");
  MembersView view;
  for (int i = 0; i < rows.size(); ++i) {
    if (rows.integer(i, 0) == 1) {
      view.leases.push_back(lease_of(rows, i, 6));
      continue;
    }
    view.members.push_back({.id = rows.bytes(i, 1),
                            .plugins = names_of(rows.view(i, 3)),
                            .admin = rows.bytes(i, 4),
                            .leaving = rows.flag(i, 5),
                            .heartbeat = rows.time(i, 2)});
  }
  return view;
}

/// The member's row is held meanwhile, so that nobody buries it between the look at it and the
/// lease; leases are locked in one order, so that two takers do not wait for each other.
Result<std::vector<Lease>> take_now(Connection& db, const std::string& id,
                                    std::vector<Lease> seen) {
  std::sort(seen.begin(), seen.end(),
            [](const Lease& a, const Lease& b) { return a.shard < b.shard; });
  std::vector<ShardRef> shards;
  Array owners(kText, seen.size()), turns(kInt8, seen.size());
  for (const Lease& lease : seen) {
    shards.push_back(lease.shard);
    owners.add(lease.owner);
    turns.add(lease.turn);
  }
  Transaction transaction(db);
  if (db.run("host", "select 1 from ~member where id = $1 and not gone for share", Params(id))
          .empty()) {
    return nobody(id);
  }
  Params made, locked, taken(id);
  for (Params* params : {&made, &locked, &taken}) add_shards(*params, shards);
  db.run("host",
         "insert into ~lease (plugin, number, owner, turn, former)"
         " select s.plugin, s.number, '', 0, '' from unnest($1, $2) s(plugin, number)"
         " order by 1, 2 on conflict do nothing",
         made);
  db.run("host",
         "select 1 from ~lease l join unnest($1, $2) s(plugin, number)"
         " on l.plugin = s.plugin and l.number = s.number"
         " order by l.plugin, l.number for update of l",
         locked);
  taken.add(std::move(owners));
  taken.add(std::move(turns));
  const Rows rows = db.run("host",
                           "update ~lease l set owner = $1, turn = l.turn + 1,"
                           " former = case when l.owner = '' then l.former else l.owner end"
                           " from unnest($2, $3, $4, $5) s(plugin, number, owner, turn)"
                           " where l.plugin = s.plugin and l.number = s.number"
                           " and l.owner = s.owner and l.turn = s.turn"
                           " returning l.plugin, l.number, l.owner, l.turn",
                           taken);
  std::vector<Lease> got;
  for (int i = 0; i < rows.size(); ++i) got.push_back(lease_of(rows, i, 0));
  transaction.commit();
  return got;
}

Result<void> join_now(Connection& db, const Member& self) {
  const std::string plugins = lines_of(self.plugins);
  Transaction transaction(db);
  // Nobody asks any more who they were: ids are not used again.
  db.run("host", "delete from ~member m where gone and heartbeat < " HOST_NOW
                 " - 604800000000 and not exists (select 1 from ~lease where owner = m.id)");
  const Rows joined = db.run("host",
                             "insert into ~member (id, plugins, admin, leaving, heartbeat, gone)"
                             " values ($1, $2, $3, $4, " HOST_NOW
                             ", false)"
                             " on conflict do nothing",
                             Params(self.id, plugins, self.admin, self.leaving));
  if (joined.touched() == 0) {
    return make_error(Error::Code::conflict, "member " + self.id + " is or was known");
  }
  db.run("host", kNotify);
  transaction.commit();
  return {};
}

Result<void> beat_now(Connection& db, const std::string& id, bool leaving) {
  const Rows row = db.run("host",
                          "update ~member m set heartbeat = " HOST_NOW
                          ", leaving = $2 from ~member before"
                          " where m.id = $1 and before.id = m.id and not m.gone"
                          " returning before.leaving",
                          Params(id, leaving));
  if (row.empty()) return nobody(id);
  if (row.flag(0, 0) != leaving) db.run("host", kNotify);
  return {};
}

void release_now(Connection& db, const std::string& id, const std::vector<ShardRef>& shards) {
  Params params(id);
  add_shards(params, shards);
  Transaction transaction(db);
  db.run("host",
         // Who had it before may still hold its row: perhaps nobody could claim it since.
         "update ~lease l set owner = '', turn = l.turn + 1"
         " from unnest($2, $3) s(plugin, number)"
         " where l.plugin = s.plugin and l.number = s.number and l.owner = $1",
         params);
  db.run("host", kNotify);
  transaction.commit();
}

void bury_now(Connection& db, const Member& seen) {
  db.run("host", "update ~member set gone = true where id = $1 and heartbeat = $2 and not gone",
         Params(seen.id, seen.heartbeat));
  db.run("host", kNotify);
}

/// The server process of a dead member that holds the row: the one whose transaction the row's
/// version names. Not by the numbers of the member's server processes: it may have connected anew
/// since it last said anything.
std::optional<std::int64_t> holder_of(Connection& db, const ShardRef& shard) {
  const Rows found =
      db.run(schema_of(shard.plugin),
             "select k.pid::bigint from ~host_shard s"
             " join host.lease l on l.plugin = $1 and l.number = s.number"
             " join host.member m on m.id = l.former and m.gone"
             " join pg_locks k on k.locktype = 'transactionid' and k.transactionid = s.xmax"
             " and k.granted where s.number = $2",
             Params(shard.plugin, shard.number));
  return found.empty() ? std::nullopt : std::optional(found.integer(0, 0));
}

}  // namespace

struct PostgresMembers::Parts {
  Parts(MembersOptions o, Conninfo u)
      : options(std::move(o)),
        url(std::move(u)),
        where(destination(url, options.password)),
        worker({.where = where, .limits = options.limits, .logger = options.logger}),
        notices(where, options.limits, kChannel, [this] { hint(); }) {}

  void hint() {
    const std::lock_guard lock(mutex);
    for (const auto& [executor, changed] : watchers) executor->post(changed);
  }

  /// A session may be ended by who is logged in as the same role: it committed for the plugin.
  /// False: nobody that is dead holds the row, or not any more.
  Result<bool> end_transaction(Connection& db, const ShardRef& shard) {
    const std::optional<std::int64_t> holder = holder_of(db, shard);
    if (!holder) return false;
    Connection same(destination_of(shard.plugin, url, options.login, where), options.limits);
    return same.run("", "select pg_terminate_backend($1::bigint::integer)", Params(*holder))
        .flag(0, 0);
  }

  const MembersOptions options;
  const Conninfo url;
  const Destination where;
  std::mutex mutex;
  std::map<Executor*, std::function<void()>> watchers;  // guarded by mutex
  Worker worker;
  Notices notices;
};

Result<std::unique_ptr<PostgresMembers>> PostgresMembers::make(const MembersOptions& options) {
  Result<Conninfo> where = Conninfo::parse(options.url);
  if (!where) return where.error();
  return std::unique_ptr<PostgresMembers>(
      new PostgresMembers(std::make_unique<Parts>(options, std::move(*where))));
}

PostgresMembers::PostgresMembers(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PostgresMembers::~PostgresMembers() { stop(); }

void PostgresMembers::stop() {
  parts_->notices.stop();
  parts_->worker.stop();
}

void PostgresMembers::join(Member self, Executor& executor, Callback<void> callback) {
  run_async<void>(
      parts_->worker, "joining", executor, std::move(callback),
      [self = std::move(self)](Connection& db) -> Result<void> { return join_now(db, self); });
}

void PostgresMembers::beat(const std::string& id, bool leaving, Executor& executor,
                           Callback<void> callback) {
  run_async<void>(parts_->worker, "a heartbeat", executor, std::move(callback),
                  [id, leaving](Connection& db) { return beat_now(db, id, leaving); });
}

void PostgresMembers::look(Executor& executor, Callback<MembersView> callback) {
  run_async<MembersView>(parts_->worker, "looking at members", executor, std::move(callback),
                         [](Connection& db) -> Result<MembersView> { return look_now(db); });
}

void PostgresMembers::take(const std::string& id, std::vector<Lease> seen, Executor& executor,
                           Callback<std::vector<Lease>> callback) {
  using Leases = std::vector<Lease>;
  run_async<Leases>(parts_->worker, "taking leases", executor, std::move(callback),
                    [id, seen = std::move(seen)](Connection& db) -> Result<Leases> {
                      return take_now(db, id, seen);
                    });
}

void PostgresMembers::release(const std::string& id, std::vector<ShardRef> shards,
                              Executor& executor, Callback<void> callback) {
  run_async<void>(parts_->worker, "releasing leases", executor, std::move(callback),
                  [id, shards = std::move(shards)](Connection& db) -> Result<void> {
                    release_now(db, id, shards);
                    return {};
                  });
}

void PostgresMembers::leave(const std::string& id, Executor& executor, Callback<void> callback) {
  run_async<void>(parts_->worker, "leaving", executor, std::move(callback),
                  [id](Connection& db) -> Result<void> {
                    db.run("host", "update ~member set gone = true where id = $1 and not gone",
                           Params(id));
                    db.run("host", kNotify);
                    return {};
                  });
}

void PostgresMembers::bury(const Member& seen, Executor& executor, Callback<void> callback) {
  run_async<void>(parts_->worker, "burying a member", executor, std::move(callback),
                  [seen](Connection& db) -> Result<void> {
                    bury_now(db, seen);
                    return {};
                  });
}

void PostgresMembers::on_change(Executor& executor, std::function<void()> changed) {
  const std::lock_guard lock(parts_->mutex);
  if (changed) {
    parts_->watchers[&executor] = std::move(changed);
  } else {
    parts_->watchers.erase(&executor);
  }
}

void PostgresMembers::end_transaction_of_former_owner(const ShardRef& shard) {
  parts_->worker.submit([this, shard](Connection* db, const Error* why) {
    auto work = [&](Connection& c) { return parts_->end_transaction(c, shard); };
    const Result<bool> ended = guarded<bool>(db, why, "ending what a dead member left", work);
    if (parts_->options.logger == nullptr) return;
    const std::string what = !ended   ? ended.error().to_string()
                             : *ended ? "its transaction is ended"
                                      : "nobody to end";
    parts_->options.logger->log(ports::LogLevel::warn,
                                "a shard's row was locked beyond its owner's death",
                                {{"shard", shard.to_string()}, {"what", what}});
  });
}

}  // namespace host::postgres
