// The store's reads, and its blocking calls but for those of plugin SQL.
#include "host/adapters/journal/bytes.h"
#include "host/adapters/postgres/dead.h"
#include "host/adapters/postgres/parts.h"
#include "host/adapters/postgres/rows.h"
#include "host/adapters/postgres/state_list.h"

namespace host::postgres {

using journal::Overlay;
using ports::DeadLetter;
using ports::DeadList;
using ports::PendingRow;
using ports::StateList;
using ports::StateRow;
using ports::TimerRow;

void PostgresStore::load_states(const ShardRef& shard, std::vector<std::string> keys,
                                Executor& executor, Callback<std::vector<StateRow>> callback) {
  using States = std::vector<StateRow>;
  States absent(keys.size());
  parts_->read_shard<States>(
      shard, "reading states", executor, std::move(callback), std::move(absent),
      [number = shard.number, keys = std::move(keys)](Connection& db, const Schema& schema,
                                                      const Overlay& overlay) -> Result<States> {
        return read_states(db, schema, number, overlay, keys);
      });
}

void PostgresStore::load_pending(const ShardRef& shard, std::vector<std::int64_t> ids,
                                 Executor& executor, Callback<std::vector<PendingRow>> callback) {
  using Pending = std::vector<PendingRow>;
  parts_->read_shard<Pending>(
      shard, "reading pending messages", executor, std::move(callback), Pending(),
      [number = shard.number, ids = std::move(ids)](Connection& db, const Schema& schema,
                                                    const Overlay& overlay) -> Result<Pending> {
        return read_pending(db, schema, number, overlay, ids);
      });
}

void PostgresStore::load_timers(const ShardRef& shard, Time after, std::string after_id,
                                std::size_t limit, Executor& executor,
                                Callback<std::vector<TimerRow>> callback) {
  using Timers = std::vector<TimerRow>;
  parts_->read_shard<Timers>(
      shard, "reading timers", executor, std::move(callback), Timers(),
      [number = shard.number, after, after_id = std::move(after_id), limit](
          Connection& db, const Schema& schema, const Overlay& overlay) -> Result<Timers> {
        return overlay.timers(
            {after, after_id}, limit, [&](const Overlay::TimerPlace& place, std::size_t count) {
              return read_timers(db, schema, number, place.first, place.second, count);
            });
      });
}

void PostgresStore::once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now,
                              Executor& executor, Callback<std::vector<bool>> callback) {
  using Seen = std::vector<bool>;
  Seen absent(ids.size());
  parts_->read_shard<Seen>(
      shard, "reading what was seen", executor, std::move(callback), std::move(absent),
      [number = shard.number, ids = std::move(ids), now](Connection& db, const Schema& schema,
                                                         const Overlay& overlay) -> Result<Seen> {
        return read_seen(db, schema, number, overlay, ids, now);
      });
}

void PostgresStore::kept_answer(const std::string& plugin, std::string scope, Time now,
                                Executor& executor,
                                Callback<std::optional<ports::KeptAnswer>> callback) {
  using Answer = std::optional<ports::KeptAnswer>;
  run_async<Answer>(parts_->reader(), "reading a kept answer", executor, std::move(callback),
                    [plugin, scope = std::move(scope), now](Connection& db) -> Result<Answer> {
                      if (!has_plugin(db, plugin)) return Answer();
                      return read_answer(db, schema_of(plugin), scope, now);
                    });
}

void PostgresStore::load_replies(std::vector<std::string> ask_ids, Executor& executor,
                                 Callback<std::vector<std::optional<std::string>>> callback) {
  using Replies = std::vector<std::optional<std::string>>;
  run_async<Replies>(parts_->reader(), "reading replies", executor, std::move(callback),
                     [ids = std::move(ask_ids)](Connection& db) -> Result<Replies> {
                       return read_replies(db, ids);
                     });
}

/// Whether a shard is ours is for the database to say: a zombie would answer what once was.
void PostgresStore::read_state(const ShardRef& shard, std::string key, Executor& executor,
                               Callback<StateRow> callback) {
  const ImagePointer ours = parts_->images.find(shard);
  run_async<StateRow>(
      *parts_->tails_worker, "reading a state", executor, std::move(callback),
      [parts = parts_.get(), shard, key = std::move(key),
       ours](Connection& db) -> Result<StateRow> {
        std::optional<StateRow> newer;
        if (ours) newer = ours->overlay.states({key}).front();
        const Transaction snapshot(db, Transaction::Kind::snapshot);
        const Schema schema = schema_of(shard.plugin);
        if (!has_plugin(db, shard.plugin)) return StateRow{};
        if (ours) {
          const Rows row = db.run(schema, "select epoch from ~host_shard where number = $1",
                                  Params(shard.number));
          const bool still_ours = !row.empty() && row.integer(0, 0) == ours->epoch;
          if (still_ours && newer) return *newer;
          if (still_ours) return read_table_state(db, schema, shard.number, key);
        }
        const Result<const Overlay*> tail = parts->tails.read(db, schema, shard);
        if (!tail) return tail.error();
        if (*tail == nullptr) return StateRow{};
        return std::move(read_states(db, schema, shard.number, **tail, {key}).front());
      });
}

void PostgresStore::list_states(const std::string& plugin, std::string after, std::size_t limit,
                                Executor& executor, Callback<StateList> callback) {
  run_async<StateList>(
      *parts_->tails_worker, "listing states", executor, std::move(callback),
      [parts = parts_.get(), plugin, after = std::move(after), limit](Connection& db) {
        return read_state_list(db, parts->images, parts->tails, plugin, after, limit);
      });
}

void PostgresStore::list_dead(const std::string& plugin_or_empty, std::string after,
                              std::size_t limit, Executor& executor, Callback<DeadList> callback) {
  run_async<DeadList>(*parts_->tails_worker, "listing dead letters", executor, std::move(callback),
                      [plugin = plugin_or_empty, after = std::move(after), limit](Connection& db) {
                        return read_dead_list(db, plugin, after, limit);
                      });
}

void PostgresStore::show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                              Callback<DeadLetter> callback) {
  run_async<DeadLetter>(*parts_->tails_worker, "reading a dead letter", executor,
                        std::move(callback),
                        [plugin, id](Connection& db) { return read_dead_letter(db, plugin, id); });
}

namespace {

/// What is answered is promised; a database with these settings forgets it when it crashes.
void warn_of_settings(Connection& db, ports::Logger* logger) {
  for (const char* setting : {"synchronous_commit", "fsync"}) {
    const Rows value(db.run_once((std::string("show ") + setting).c_str()));
    if (logger == nullptr || value.view(0, 0) != "off") continue;
    logger->log(ports::LogLevel::warn,
                "a crash of the database may undo what was answered: a setting of it is off",
                {{"setting", setting}});
  }
}

}  // namespace

Result<ports::Store::Identity> PostgresStore::open_deployment(PartitionNumber partitions) {
  return parts_->on_own_connection<Identity>(
      "opening the database", [&](Connection& db) -> Result<Identity> {
        warn_of_settings(db, parts_->options.logger);
        if (Result<void> known = open_common_schema(db); !known) return known.error();
        return open_identity(db, partitions);
      });
}

Result<void> PostgresStore::remember_good(const std::string& plugin, const GoodSources& sources) {
  const std::string files = journal::encode_pairs(sources.files);
  return parts_->on_own_connection<void>(
      "writing the last good sources", [&](Connection& db) -> Result<void> {
        db.run(kCommonSchema,
               "insert into ~good_sources (plugin, revision, files) values ($1, $2, $3)"
               " on conflict (plugin) do update set revision = excluded.revision,"
               " files = excluded.files",
               Params(plugin, sources.revision, Bytes{files}));
        return {};
      });
}

Result<std::optional<ports::Store::GoodSources>> PostgresStore::last_good(
    const std::string& plugin) {
  using Answer = std::optional<GoodSources>;
  return parts_->on_own_connection<Answer>(
      "reading the last good sources", [&](Connection& db) -> Result<Answer> {
        const Rows row =
            db.run(kCommonSchema, "select revision, files from ~good_sources where plugin = $1",
                   Params(plugin));
        if (row.empty()) return Answer();
        auto files = journal::decode_pairs(row.view(0, 1));
        if (!files) return files.error();
        return Answer(GoodSources{.revision = row.bytes(0, 0), .files = std::move(*files)});
      });
}

}  // namespace host::postgres
